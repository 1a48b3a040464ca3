import type { SequenceSet } from '../../api/session.js'
import { LIMITS } from '../limits.js'

/** `*` in a set. */
export const LAST_NUMBER = 0xffffffff

/** Where a set ended, or what was expected instead. */
export type ParsedSet = { readonly set: SequenceSet; readonly end: number } | { readonly at: number; readonly expected: string }

const STAR = 42
const COMMA = 44
const COLON = 58
const DOLLAR = 36

/**
 * The set that begins at `from` (RFC 3501 §9 "sequence-set", RFC 5182 §2.1 for `$`): pairs as written, so `5:2` stays `5:2` and nothing is
 * sorted or joined. The number 4294967295 is one that no message has; it is kept apart from `*`.
 */
export function parseSequenceSet(octets: Uint8Array, from: number): ParsedSet {
  if (octets[from] === DOLLAR) return { set: 'saved', end: from + 1 }
  // Most sets are one number or one range.
  let pairs = new Uint32Array(2)
  let filled = 0
  let at = from
  for (;;) {
    const first = numberAt(octets, at)
    if (first.problem !== undefined) return { at, expected: first.problem }
    at = first.end
    let last = first.value
    if (octets[at] === COLON) {
      const second = numberAt(octets, at + 1)
      if (second.problem !== undefined) return { at: at + 1, expected: second.problem }
      at = second.end
      last = second.value
    }
    if (filled === pairs.length) {
      if (filled >>> 1 >= LIMITS.sequenceRanges) return { at, expected: `at most ${LIMITS.sequenceRanges} ranges` }
      const grown = new Uint32Array(Math.min(filled * 4, LIMITS.sequenceRanges * 2))
      grown.set(pairs)
      pairs = grown
    }
    pairs[filled++] = first.value
    pairs[filled++] = last
    if (octets[at] !== COMMA) return { set: { pairs: filled === pairs.length ? pairs : pairs.slice(0, filled) }, end: at }
    at++
  }
}

interface SeqNumber {
  readonly value: number
  readonly end: number
  readonly problem?: undefined
}
function numberAt(octets: Uint8Array, from: number): SeqNumber | { readonly problem: string } {
  if (octets[from] === STAR) return { value: LAST_NUMBER, end: from + 1 }
  let at = from
  let value = 0
  while (at < octets.length && octets[at]! >= 48 && octets[at]! <= 57) {
    value = value * 10 + octets[at]! - 48
    if (value > LAST_NUMBER) return { problem: 'a number below 4294967296' }
    at++
  }
  if (at === from) return { problem: 'a message number or *' }
  if (value === 0) return { problem: 'a number above 0' }
  return { value: value === LAST_NUMBER ? LAST_NUMBER - 1 : value, end: at }
}
