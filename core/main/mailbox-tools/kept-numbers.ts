import type { Examined, GivenNumbers } from '../../api/index.js'

/** Numbers that salvaged messages keep. */
export interface KeptNumbers {
  readonly numbers: Required<GivenNumbers>
  /** By the position of the message among those that are not empty; ascending. */
  readonly uids: ReadonlyMap<number, number>
}

/**
 * Which messages of a damaged mailbox keep their UIDs, and with them UIDVALIDITY: those of which it is sure, given once, in an order that ascends.
 * Undefined where UIDVALIDITY is lost, a message has a number that was never given, or so few keep theirs that the order of the mailbox is worth more:
 * messages without a number come behind the others, since a number is never given again (RFC 9051 §2.3.1.1).
 */
export async function keptNumbers(found: AsyncIterable<Examined>, signal: AbortSignal): Promise<KeptNumbers | undefined> {
  let numbers: Required<GivenNumbers> | undefined
  const all: (number | undefined)[] = []
  for await (const one of found) {
    signal.throwIfAborted()
    if (one.kind === 'numbers') numbers = { uidValidity: one.uidValidity, uidNext: one.uidNext }
    else if (one.kind === 'message' && one.size !== 0) all.push(one.uid)
  }
  const times = new Map<number, number>()
  for (const uid of all) if (uid !== undefined) times.set(uid, (times.get(uid) ?? 0) + 1)
  const uids = new Map<number, number>()
  let last = 0
  for (const [i, uid] of all.entries()) {
    if (uid === undefined || times.get(uid) !== 1) continue
    // Where the order breaks nothing tells which of the two is wrong.
    if (uid <= last) return undefined
    uids.set(i, (last = uid))
  }
  return numbers === undefined || last >= numbers.uidNext || 2 * uids.size < all.length || uids.size === 0 ? undefined : { numbers, uids }
}
