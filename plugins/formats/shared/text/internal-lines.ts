/** Header lines that the format keeps for itself; they are written case-sensitively and never shown to a client. */
export const INTERNAL = { none: 0, status: 1, xStatus: 2, xKeywords: 3, xUid: 4, xImapBase: 5, xImap: 6 } as const
export type Internal = (typeof INTERNAL)[keyof typeof INTERNAL]

const NAMES: readonly (readonly [Internal, string])[] = [
  [INTERNAL.status, 'Status:'],
  [INTERNAL.xStatus, 'X-Status:'],
  [INTERNAL.xKeywords, 'X-Keywords:'],
  [INTERNAL.xUid, 'X-UID:'],
  [INTERNAL.xImapBase, 'X-IMAPbase:'],
  [INTERNAL.xImap, 'X-IMAP:'],
]
const EXACT = NAMES.map(([which, name]) => ({ which, bytes: Buffer.from(name), lower: Buffer.from(name.toLowerCase()) }))

/** Which internal line starts here, in any letter case. */
export function internalLine(b: Uint8Array, at: number, end: number): Internal {
  const first = (b[at] ?? 0) | 32
  if (first !== 115 && first !== 120) return INTERNAL.none
  for (const { which, lower } of EXACT) {
    if (at + lower.length > end) continue
    let i = 0
    while (i < lower.length && lowered(b[at + i] ?? 0) === lower[i]) i++
    if (i === lower.length) return which
  }
  return INTERNAL.none
}
function lowered(octet: number): number {
  return octet >= 65 && octet <= 90 ? octet + 32 : octet
}

/** Length of the name with its colon. */
export function internalNameLength(which: Internal): number {
  return which === INTERNAL.none ? 0 : (EXACT[which - 1]?.bytes.length ?? 0)
}
/** Whether the name is spelt as it must be; otherwise the line counts for nothing and is dropped at the next rewrite. */
export function speltExactly(b: Uint8Array, at: number, which: Internal): boolean {
  const bytes = which === INTERNAL.none ? undefined : EXACT[which - 1]?.bytes
  return bytes !== undefined && bytes.every((octet, i) => b[at + i] === octet)
}

/** Bits of `Status` and `X-Status`, as the original's files have them. */
export const BIT = { seen: 1, deleted: 2, flagged: 4, answered: 8, old: 16, draft: 32 } as const
const LETTERS: Readonly<Record<number, number>> = {
  82: BIT.seen, 79: BIT.old, 68: BIT.deleted, 70: BIT.flagged, 65: BIT.answered, 84: BIT.draft,
}
/** Flags of a `Status` or `X-Status` value; both lines may have any of the letters, others are ignored. */
export function statusBits(b: Uint8Array, from: number, end: number): number {
  let bits = 0
  for (let i = from; i < end; i++) bits |= LETTERS[b[i] ?? 0] ?? 0
  return bits
}

const LARGEST = 0xffffffff
/** Numbers at the end of the range that are not believed. */
export const RESERVE = 1 << 24
/** Number after blanks, with the index after it; undefined when there is none or it needs more than 32 bits. */
export function numberAt(b: Uint8Array, from: number, end: number): { readonly value: number; readonly after: number } | undefined {
  let i = from
  while (i < end && (b[i] === 32 || b[i] === 9)) i++
  const start = i
  let value = 0
  for (; i < end; i++) {
    const digit = (b[i] ?? 0) - 48
    if (digit < 0 || digit > 9) break
    value = Math.min(value * 10 + digit, LARGEST + 1)
  }
  return i === start || value > LARGEST ? undefined : { value, after: i }
}

const LONGEST_KEYWORD = 50
/** Words of a keyword list; one that is too long keeps its place, empty. */
export function words(b: Uint8Array, from: number, end: number): readonly string[] {
  const text = Buffer.from(b.buffer, b.byteOffset + from, Math.max(0, end - from)).toString('latin1').trim()
  return text === '' ? [] : text.split(/[ \t\r]+/).map((word) => (word.length > LONGEST_KEYWORD ? '' : word))
}

/** `X-IMAP: validity last keyword ...`; undefined when it does not count. */
export interface UidBase {
  readonly validity: number
  readonly last: number
  readonly keywords: readonly string[]
  /** Where the digits of `last` stand, as indices of what was read. */
  readonly lastAt: number
  readonly lastEnd: number
}
export function uidBase(b: Uint8Array, from: number, end: number): UidBase | undefined {
  const validity = numberAt(b, from, end)
  if (validity === undefined || validity.value === 0) return undefined
  const last = numberAt(b, validity.after, end)
  // So near the end no number could be given any more: a line that came with the mail.
  if (last === undefined || last.value > LARGEST - RESERVE) return undefined
  let lastAt = last.after
  while (lastAt > from && isDigit(b[lastAt - 1])) lastAt--
  return { validity: validity.value, last: last.value, keywords: words(b, last.after, end), lastAt, lastEnd: last.after }
}
function isDigit(octet: number | undefined): boolean {
  return octet !== undefined && octet >= 48 && octet <= 57
}
