import { MailError } from '../../api/mail/error.js'
import type { Bench } from '../bench.js'
import type { Box, BoxMessage } from '../box.js'
import { must, mustEqual, mustEqualOctets } from '../expecting.js'

/** A mailbox as somebody was told it is. Where uids do not persist, messages bear their places instead. */
export interface BoxState {
  /** 0: uids do not persist. */
  readonly uidValidity: number
  /** Every uid below was given or may have been. */
  readonly uidFloor: number
  readonly messages: ReadonlyMap<number, BoxMessage>
}
/** Everything that was acknowledged, by path. */
export type World = ReadonlyMap<string, BoxState>

/** How a mailbox is found to be; undefined: there is none. */
export type ReadBox = (path: string) => Promise<BoxState | undefined>

/** Of an open mailbox with true rows. */
export async function stateOf(box: Box): Promise<BoxState> {
  const { uidValidity, uidNext } = box.table
  const messages = await box.messages()
  if (box.source.traits.uidsPersist) return { uidValidity, uidFloor: uidNext, messages: new Map(messages.map((m) => [m.uid, m])) }
  return { uidValidity: 0, uidFloor: messages.length + 1, messages: new Map(messages.map((m, i) => [i + 1, { ...m, uid: i + 1 }])) }
}
/** Opens, reads and closes. */
export async function readBox(bench: Bench, path: string): Promise<BoxState | undefined> {
  try {
    const box = await bench.open(path)
    const state = await stateOf(box)
    await box.close()
    return state
  } catch (error) {
    if (error instanceof MailError && error.kind === 'not-found') return undefined
    throw error
  }
}

/** What an operation that was not acknowledged may have done: `before`, `after`, or for messages of one mailbox something between. */
export interface Step {
  readonly what: string
  readonly before: World
  readonly after: World
  /** `create`: there and empty, or not; `names`: one or the other, whole; `append`: all new messages or none; `flags` and `expunge`: message by message. */
  readonly kind: 'create' | 'names' | 'append' | 'flags' | 'expunge' | 'none'
}

/** Throws unless what is there is what was acknowledged, give or take the operation that was under way. */
export async function mustHold(read: ReadBox, acknowledged: World, underWay: Step | undefined): Promise<void> {
  const paths = new Set([...acknowledged.keys(), ...(underWay?.after.keys() ?? [])])
  const found = new Map<string, BoxState>()
  for (const path of paths) {
    const state = await read(path)
    if (state !== undefined) found.set(path, state)
  }
  if (underWay?.kind === 'names') return mustBeEither(found, underWay)
  for (const path of paths) {
    const expected = acknowledged.get(path)
    const state = found.get(path)
    if (underWay?.kind === 'create' && expected === undefined) {
      must(state === undefined || state.messages.size === 0, `mailbox "${path}" was under way and holds messages`)
      continue
    }
    must(expected !== undefined && state !== undefined, `mailbox "${path}" was acknowledged and is gone`)
    mustHoldBox(path, state, expected, underWay)
  }
}

function mustBeEither(found: World, step: Step): void {
  const shape = (world: World): unknown => [...world].map(([path, s]) => [path, s.uidValidity, [...s.messages.values()]]).sort()
  const holds = (world: World): boolean => {
    try {
      mustEqual(shape(found), shape(world), '')
      return true
    } catch {
      return false
    }
  }
  if (holds(step.before) || holds(step.after)) return
  mustEqual(shape(found), shape(step.before), `after a crash during ${step.what} there is neither what was before nor what should be after; compared with before`)
}

function mustHoldBox(path: string, found: BoxState, expected: BoxState, underWay: Step | undefined): void {
  const after = underWay?.after.get(path)
  mustEqual(found.uidValidity, expected.uidValidity, `UIDVALIDITY of "${path}"`)
  if (expected.uidValidity === 0 && underWay?.kind === 'expunge' && after !== undefined) return mustBeBetween(found, expected, after, path)
  for (const [uid, message] of expected.messages) {
    const now = found.messages.get(uid)
    const mayGo = underWay?.kind === 'expunge' && after?.messages.has(uid) === false
    if (now === undefined) {
      must(mayGo, `uid ${uid} of "${path}" was acknowledged and is gone`)
      continue
    }
    mustEqualOctets(now.bytes, message.bytes, `octets of uid ${uid} of "${path}"`)
    mustEqual({ size: now.size, ms: now.ms, zone: now.zone }, { size: message.size, ms: message.ms, zone: message.zone }, `size and date of uid ${uid} of "${path}"`)
    const mayChange = underWay?.kind === 'flags' ? after?.messages.get(uid)?.flags : undefined
    if (now.flags !== mayChange) mustEqual(now.flags, message.flags, `flags of uid ${uid} of "${path}"`)
  }
  const extra = [...found.messages.values()].filter((m) => !expected.messages.has(m.uid))
  if (extra.length === 0) return
  const arriving = underWay?.kind === 'append' ? [...(after?.messages.values() ?? [])].filter((m) => !expected.messages.has(m.uid)) : []
  mustEqual(extra.map(({ uid: _uid, ...m }) => m), arriving.map(({ uid: _uid, ...m }) => m), `messages of "${path}" that nobody acknowledged: all of the delivery under way, or none`)
  for (const { uid } of extra) must(uid >= expected.uidFloor, `uid ${uid} of "${path}" was given again: UIDNEXT was ${expected.uidFloor}`)
}

/** Whatever their uids: those that stay are there, in their order; those that go are each there or not, as an EXPUNGE that fails may have done a part. */
function mustBeBetween(found: BoxState, before: BoxState, after: BoxState, path: string): void {
  const shapes = (s: BoxState): readonly string[] => [...s.messages.values()].map(({ uid: _uid, bytes, ...rest }) => JSON.stringify([rest, Buffer.from(bytes).toString('latin1')]))
  must(isWithin(shapes(found), shapes(before)) && isWithin(shapes(after), shapes(found)), `"${path}" has neither the messages before an expunge, nor those after it, nor some of both`)
}
/** Whether these are among those, in their order. */
function isWithin(these: readonly string[], those: readonly string[]): boolean {
  let next = 0
  for (const one of those) if (one === these[next]) next++
  return next === these.length
}

/** The mailbox still works, and gives no uid again. */
export async function mustGoOn(bench: Bench, acknowledged: World, deliver: (path: string) => Promise<void>): Promise<void> {
  for (const [path, state] of acknowledged) {
    const before = await readBox(bench, path)
    if (before === undefined) continue
    await deliver(path)
    const now = await readBox(bench, path)
    must(now !== undefined && now.messages.size === before.messages.size + 1, `a delivery to "${path}" after the crash did not arrive alone`)
    const fresh = [...now.messages.keys()].find((uid) => !before.messages.has(uid)) ?? 0
    must(state.uidValidity === 0 || fresh >= state.uidFloor || now.uidValidity > state.uidValidity, `uid ${fresh} of "${path}" was given after the crash; UIDNEXT was ${state.uidFloor} before`)
    for (const [uid, message] of before.messages) mustEqual(now.messages.get(uid), message, `uid ${uid} of "${path}" after the next delivery`)
  }
}
