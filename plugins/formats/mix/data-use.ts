/** What a data file holds. */
export interface Holding {
  /** Of its messages, with the records in front of them. */
  readonly octets: number
  /** Behind the last of them. */
  readonly end: number
  /** A message stands before one with a lower UID: other programs do not expect that. */
  readonly backwards: boolean
}
export const NOTHING: Holding = { octets: 0, end: 0, backwards: false }
/** Places of messages in the order of their UIDs. */
interface Places {
  readonly count: number
  readonly file: ArrayLike<number>
  readonly at: ArrayLike<number>
  readonly internal: ArrayLike<number>
  readonly size: ArrayLike<number>
}

/** What each data file holds by these places; files that hold nothing are left out, and so are messages that do not stay. */
export function holdings({ count, file, at, internal, size }: Places, stays: (i: number) => boolean = () => true): Map<number, Holding> {
  const out = new Map<number, { octets: number; end: number; backwards: boolean }>()
  for (let i = 0; i < count; i++) {
    if (!stays(i)) continue
    const number = file[i] ?? 0
    let held = out.get(number)
    if (held === undefined) out.set(number, (held = { octets: 0, end: 0, backwards: false }))
    const start = at[i] ?? 0
    const octets = (internal[i] ?? 0) + (size[i] ?? 0)
    held.backwards ||= start < held.end
    held.octets += octets
    held.end = Math.max(held.end, start + octets)
  }
  return out
}
