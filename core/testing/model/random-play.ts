import type { MailboxName } from '../../api/mail/names.js'
import { SYSTEM } from '../../api/mail/table.js'
import { uids, type UidSet } from '../../api/mail/uid-set.js'
import type { MailAccess } from '../../api/session.js'
import { flagText, never, octetsOfMessage, WHOLE } from '../box.js'
import { afterCrash, CRASH_MODES } from '../disk/crash.js'
import type { DriverUnderTest } from '../driver-under-test.js'
import { ContractFailure, must, mustEqual, mustEqualOctets } from '../expecting.js'
import { itemOf, randomMessage } from '../messages.js'
import type { SeededRandom } from '../random.js'
import type { Storage } from '../storage.js'
import { BelievingClient } from './client.js'
import { ModelHost } from './model-host.js'

interface Message {
  readonly bytes: Uint8Array
  words: ReadonlySet<string>
}
/** What a mailbox must hold, by uid. */
type Model = Map<number, Message>
interface Session {
  readonly access: MailAccess
  client: BelievingClient
  path: string
  readOnly: boolean
}
const SYSTEM_BITS = Object.values(SYSTEM)
const KEYWORDS = ['$Label1', 'work', 'Private'] as const

/**
 * Two sessions of one server do what comes into their heads, and a model keeps the books. After each step the clients believe what
 * they were told; whenever all is told, it must be what the model says. Now and then the server restarts, or its machine stops.
 */
export class RandomPlay {
  readonly #under: DriverUnderTest
  readonly #random: SeededRandom
  #storage: Storage
  #host: ModelHost | undefined
  readonly #sessions: Session[] = []
  readonly #models = new Map<string, Model>()
  /** Highest uid ever, by path: none below is given again. */
  readonly #floor = new Map<string, number>()
  readonly #claimed = new Map<string, Set<number>>()
  readonly #done: string[] = []
  #count = 0

  constructor(under: DriverUnderTest, storage: Storage, random: SeededRandom) {
    this.#under = under
    this.#storage = storage
    this.#random = random
  }

  async run(steps: number): Promise<void> {
    try {
      await this.#start()
      for (let i = 0; i < steps; i++) await this.#step()
      await this.#restart('close')
    } catch (error) {
      const last = this.#done.slice(-12).join('\n  ')
      throw new ContractFailure(`${error instanceof Error ? error.message : String(error)}\nafter\n  ${last}`, { cause: error })
    } finally {
      await this.#host?.[Symbol.asyncDispose]().catch(() => undefined)
      this.#storage[Symbol.dispose]()
    }
  }

  #name(i: number): string {
    return this.#under.mailboxName?.(i) ?? ['one', 'two'][i] ?? 'three'
  }
  async #start(): Promise<void> {
    this.#host = await ModelHost.start(this.#under, this.#storage)
    for (let i = 0; i < 2; i++) {
      const access = await this.#host.login()
      const path = this.#name(i)
      if (!this.#models.has(path)) {
        await access.create(mailboxName(path), { specialUse: [] }, never)
        this.#models.set(path, new Map())
      }
      const session = await this.#open(access, this.#random.chance(0.7) ? this.#name(0) : path, false)
      this.#sessions.push(session)
    }
  }
  async #open(access: MailAccess, path: string, readOnly: boolean): Promise<Session> {
    if (!this.#models.has(path)) {
      await access.create(mailboxName(path), { specialUse: [] }, never)
      this.#models.set(path, new Map())
    }
    const located = await access.locate(mailboxName(path), readOnly ? 'examine' : 'open', never)
    const view = await access.open(located, readOnly ? 'read-only' : 'read-write', never)
    const session = { access, client: new BelievingClient(view), path, readOnly }
    this.#noteRecent(session, [])
    this.#mustAgree(session, 'after opening')
    return session
  }

  async #step(): Promise<void> {
    const session = this.#random.pick(this.#sessions)
    const kinds: readonly (readonly [number, string, () => Promise<void>])[] = [
      [5, 'append', () => this.#append(session)],
      [8, 'store', () => this.#store(session)],
      [3, 'expunge', () => this.#expunge(session)],
      [3, 'copy', () => this.#copy(session)],
      [6, 'listen', () => this.#listen(session, this.#random.chance(0.6))],
      [3, 'read', () => this.#read(session)],
      [2, 'reopen', () => this.#reopen(session)],
      [2, 'pause', () => this.#pause()],
      [1, 'checkpoint', () => session.client.view.checkpoint(never)],
      [1, 'restart', () => this.#restart(this.#under.keeps === 'files' && this.#random.chance(0.5) ? 'crash' : 'close')],
    ]
    let left = this.#random.below(kinds.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, what, act] of kinds) {
      left -= weight
      if (left >= 0) continue
      this.#done.push(`${what} by session ${this.#sessions.indexOf(session)} on "${session.path}"`)
      return await act()
    }
  }

  #note(text: string): void {
    this.#done[this.#done.length - 1] += `: ${text}`
  }
  #model(path: string): Model {
    const model = this.#models.get(path)
    must(model !== undefined, `the play knows no mailbox "${path}"`)
    return model
  }
  /** Uids that were given out just now are new, and above all that ever were. */
  #enter(path: string, given: UidSet, messages: readonly Message[]): void {
    const list = listed(given)
    must(list.length === messages.length, `${list.length} uids were told for ${messages.length} messages`)
    for (const [i, uid] of list.entries()) {
      must(uid > (this.#floor.get(path) ?? 0), `uid ${uid} of "${path}" was given again`)
      this.#floor.set(path, uid)
      const message = messages[i]
      if (message !== undefined) this.#model(path).set(uid, message)
    }
  }
  /** Some of the messages that the session knows. */
  #some(session: Session): readonly number[] {
    return session.client.messages.map((m) => m.uid).filter(() => this.#random.chance(0.3))
  }

  async #append(session: Session): Promise<void> {
    const path = this.#random.chance(0.7) ? session.path : this.#random.pick([...this.#models.keys()])
    const messages = Array.from({ length: 1 + this.#random.below(3) }, () => ({ ...randomMessage(this.#count++, this.#random), system: this.#random.pick([0, 0, SYSTEM.seen, SYSTEM.flagged]) }))
    const to = await session.access.locate(mailboxName(path), 'append', never)
    const result = await session.access.append(to, itemsOf(messages.map((m) => itemOf(m))), never)
    must(result !== undefined, 'APPEND told no uids')
    this.#enter(path, result.uids, messages.map((m) => ({ bytes: this.#under.stored?.(m.bytes) ?? m.bytes, words: wordsOf(flagText(m.system, [])) })))
    this.#note(`${messages.length} to "${path}", uids ${listed(result.uids).join(',')}`)
  }
  async #store(session: Session): Promise<void> {
    if (session.readOnly) return
    const some = this.#some(session)
    const how = this.#random.pick(['add', 'remove', 'replace'] as const)
    const system = this.#random.pick(SYSTEM_BITS) | (this.#random.chance(0.3) ? this.#random.pick(SYSTEM_BITS) : 0)
    const keywords = this.#under.about.keywords === 'any' && this.#random.chance(0.4) ? [this.#random.pick(KEYWORDS)] : []
    const silent = this.#random.chance(0.3)
    await session.client.view.store({ uids: uids.from(some), how, system, keywords }, silent, never)
    const words = wordsOf(flagText(system, keywords))
    for (const uid of some) {
      const message = this.#model(session.path).get(uid)
      if (message === undefined) continue
      if (how === 'replace') message.words = words
      else message.words = new Set(how === 'add' ? [...message.words, ...words] : [...message.words].filter((w) => !words.has(w)))
    }
    if (silent) session.client.knows(new Set(some))
    this.#note(`${how} ${[...words].join(' ')} ${silent ? 'silently ' : ''}to ${some.join(',')}`)
  }
  async #expunge(session: Session): Promise<void> {
    if (session.readOnly) return
    const model = this.#model(session.path)
    const among = uids.from(this.#some(session))
    const gone = await session.client.view.expunge(among, never)
    const expected = [...model].filter(([uid, m]) => among.has(uid) && m.words.has('deleted')).map(([uid]) => uid)
    mustEqual(listed(gone), expected, 'uids that EXPUNGE removed')
    for (const uid of expected) model.delete(uid)
    this.#note(`of ${listed(among).join(',')} went ${expected.join(',')}`)
  }
  async #copy(session: Session): Promise<void> {
    const model = this.#model(session.path)
    const known = this.#some(session).filter((uid) => model.has(uid))
    if (known.length === 0) return
    const how = !session.readOnly && this.#random.chance(0.4) ? 'move' : 'copy'
    const path = this.#random.pick([...this.#models.keys()])
    if (how === 'move' && path === session.path) return
    const to = await session.access.locate(mailboxName(path), 'append', never)
    const rows = session.client.view.resolve({ pairs: Uint32Array.from(known.flatMap((uid) => [uid, uid])) }, 'uid')
    const result = await session.client.view.copy(rows, to, how, never)
    must(result !== undefined, `${how} told no uids`)
    mustEqual(listed(result.from), known, `uids that a ${how} took`)
    this.#enter(path, result.to, known.map((uid) => ({ ...(model.get(uid) ?? { bytes: new Uint8Array(0), words: new Set() }) })))
    if (how === 'move') for (const uid of known) model.delete(uid)
    this.#note(`${how} ${known.join(',')} to "${path}" as ${listed(result.to).join(',')}`)
  }
  async #listen(session: Session, expunge: boolean): Promise<void> {
    const before = session.client.recent()
    await session.client.view.sync(never)
    session.client.hear({ expunge })
    this.#noteRecent(session, before)
    if (expunge) this.#mustAgree(session, 'after all was told')
  }
  /** No message is recent for two sessions that may write. */
  #noteRecent(session: Session, before: readonly number[]): void {
    if (session.readOnly) return
    const known = new Set(before)
    const claimed = this.#claimed.get(session.path) ?? new Set<number>()
    this.#claimed.set(session.path, claimed)
    for (const uid of session.client.recent()) {
      if (known.has(uid)) continue
      must(!claimed.has(uid), `uid ${uid} of "${session.path}" was recent for a second session`)
      claimed.add(uid)
    }
  }
  #mustAgree(session: Session, when: string): void {
    const expected = [...this.#model(session.path)].map(([uid, m]) => ({ uid, flags: textOf(m.words) })).sort((a, b) => a.uid - b.uid)
    mustEqual(session.client.messages.map((m) => ({ uid: m.uid, flags: textOf(wordsOf(m.flags)) })), expected, `what session ${this.#sessions.indexOf(session)} believes of "${session.path}" ${when}`)
  }
  async #read(session: Session): Promise<void> {
    const { view } = session.client
    const some = this.#some(session)
    if (some.length === 0) return
    const rows = view.resolve({ pairs: Uint32Array.from(some.flatMap((uid) => [uid, uid])) }, 'uid')
    const model = this.#model(session.path)
    const seen = new Set<number>()
    for await (const batch of view.read(rows, WHOLE, never)) {
      for (const message of batch) {
        seen.add(message.uid)
        // What another session expunged may still be read, or not.
        const expected = model.get(message.uid)
        if (expected !== undefined) mustEqualOctets(await octetsOfMessage(message), expected.bytes, `octets of uid ${message.uid} of "${session.path}"`)
      }
    }
    for (const uid of some) must(seen.has(uid) || !model.has(uid), `uid ${uid} of "${session.path}" could not be read`)
  }
  async #reopen(session: Session): Promise<void> {
    await session.client.view.close(never)
    const i = this.#sessions.indexOf(session)
    this.#sessions[i] = await this.#open(session.access, this.#random.pick([...this.#models.keys()]), this.#random.chance(0.2))
  }
  /** Timers fall due: delayed writes, closing of what lingers. */
  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#storage.clock.after(this.#random.below(60_000), resolve))
  }
  async #restart(how: 'close' | 'crash'): Promise<void> {
    this.#note(how)
    if (this.#under.keeps === 'nothing') return
    // What a session was told just before its machine stopped may be recent once more (RFC 3501 §2.3.2 prefers that).
    if (how === 'crash') this.#claimed.clear()
    else for (const { client } of this.#sessions) await client.view.close(never)
    this.#sessions.length = 0
    const host = this.#host
    this.#host = undefined
    if (how === 'crash') {
      const { files } = this.#storage
      const mode = this.#random.pick(CRASH_MODES)
      this.#note(mode)
      const disk = afterCrash(files.start, files.log, files.log.length, mode, this.#random)
      this.#storage[Symbol.dispose]()
      this.#storage = this.#storage.restarted(disk)
    } else await host?.[Symbol.asyncDispose]()
    await this.#start()
    for (const path of this.#models.keys()) await this.#mustHoldAll(path)
  }
  async #mustHoldAll(path: string): Promise<void> {
    const session = this.#sessions[0]
    if (session === undefined) return
    const located = await session.access.locate(mailboxName(path), 'examine', never)
    const view = await session.access.open(located, 'read-only', never)
    const client = new BelievingClient(view)
    this.#mustAgree({ ...session, client, path }, 'after a restart')
    if (view.announced > 0) {
      for await (const batch of view.read({ pairs: Uint32Array.of(0, view.announced - 1), count: view.announced }, WHOLE, never)) {
        for (const m of batch) mustEqualOctets(await octetsOfMessage(m), this.#model(path).get(m.uid)?.bytes ?? new Uint8Array(0), `octets of uid ${m.uid} of "${path}" after a restart`)
      }
    }
    await view.close(never)
  }
}

function mailboxName(path: string): MailboxName {
  // Names of this play are plain words.
  return path as MailboxName
}
function listed(set: UidSet): number[] {
  const out: number[] = []
  for (let i = 0; i < set.ranges.length; i += 2) for (let uid = set.ranges[i] ?? 1; uid <= (set.ranges[i + 1] ?? 0); uid++) out.push(uid)
  return out
}
function wordsOf(flags: string): ReadonlySet<string> {
  return new Set(flags.split(' ').filter((word) => word !== ''))
}
function textOf(words: ReadonlySet<string>): string {
  return [...words].sort().join(' ')
}
async function* itemsOf<T>(items: readonly T[]): AsyncIterable<T> {
  await undefined
  yield* items
}
