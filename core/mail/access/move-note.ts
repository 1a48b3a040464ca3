import { createHash } from 'node:crypto'
import { SYSTEM, UNKNOWN, uids } from '../../api/index.js'
import type { Located, SidecarKind, UidSet } from '../../api/index.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import { TableView, type ViewOwner } from '../view/view.js'
import { octetsOf } from './copying.js'

/** Messages that are on their way from one mailbox to another: written before they are copied, crossed out when they are removed. */
export interface MoveNote {
  readonly fromValidity: number
  /** Pairs of first and last, as in a `UidSet`. */
  readonly moving: readonly number[]
  readonly to: string
  readonly toValidity: number
  /** The copies have numbers from here on. */
  readonly toNext: number
  /** So many messages were there: where numbers do not last, the copies are behind them. */
  readonly toLength: number
}
/** By key of the mailbox that they leave. */
export const MOVE_NOTES: SidecarKind<MoveNote> = {
  id: 'mail.moving',
  codec: {
    encode: (note) => Buffer.from(JSON.stringify(note)),
    // Written by `encode`; what is not would match nothing.
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as MoveNote,
  },
}

/**
 * Which of the messages of a note were copied before whoever moved them was stopped: all that are still there, or none. They were when each of them is found, octet
 * by octet and in their order, among the messages that came to the other mailbox since; numbers alone would not tell them from mail that came another way.
 * Where numbers do not last, what came since is what lies behind as many messages as there were: where others expunged meanwhile it is less than came, never more.
 */
export async function copiedBefore(note: MoveNote, from: SharedMailbox, fromAt: Located, to: SharedMailbox, toAt: Located, owner: ViewOwner, signal: AbortSignal): Promise<UidSet> {
  if (note.fromValidity !== from.table.uidValidity || note.to !== to.key) return uids.none
  const { uidsPersist } = to.source.traits
  if (uidsPersist && note.toValidity !== to.table.uidValidity) return uids.none
  const noted = uids.ranges(Uint32Array.from(note.moving))
  const leaving = uidsOf(from, (uid, system) => (system & SYSTEM.deleted) === 0 && noted.has(uid))
  const came = uidsOf(to, uidsPersist ? (uid) => uid >= note.toNext : (_uid, _system, row) => row >= note.toLength)
  if (leaving.length === 0 || came.length < leaving.length) return uids.none
  const [left, right] = [new TableView(from, fromAt, true, owner), new TableView(to, toAt, true, owner)]
  try {
    await from.fill(uids.from(leaving), signal)
    await to.fill(uids.from(came), signal)
    let next = 0
    for (const uid of leaving) {
      const wanted = await digestOf(left, uid, signal)
      if (wanted === undefined) return uids.none
      while (next < came.length && (sizeOf(to, came[next] ?? 0) !== sizeOf(from, uid) || (await digestOf(right, came[next] ?? 0, signal)) !== wanted)) next++
      if (next === came.length) return uids.none
      next++
    }
    return uids.from(leaving)
  } finally {
    await left.close(signal)
    await right.close(signal)
  }
}
function uidsOf({ table }: SharedMailbox, wanted: (uid: number, system: number, row: number) => boolean): number[] {
  const { generation } = table
  const out: number[] = []
  for (let row = 0; row < table.length; row++) {
    const uid = generation.uid[row] ?? 0
    if (wanted(uid, generation.flagSets[generation.flags[row] ?? 0]?.system ?? 0, row)) out.push(uid)
  }
  return out
}
function sizeOf({ table }: SharedMailbox, uid: number): number {
  return table.generation.size[table.generation.find(uid)] ?? UNKNOWN
}
async function digestOf(view: TableView, uid: number, signal: AbortSignal): Promise<string | undefined> {
  for await (const batch of view.readUids(uids.one(uid), { bytes: 'whole', sections: [], facts: [] }, signal)) {
    for (const { bytes } of batch) {
      const hash = createHash('sha256')
      for await (const piece of octetsOf(bytes, signal)) hash.update(piece)
      return hash.digest('base64')
    }
  }
  // Gone meanwhile.
  return undefined
}
