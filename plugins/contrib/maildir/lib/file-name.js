import { SYSTEM } from 'mailwright/api'

/*
 * `BASE:2,FLAGS`. The base names the message for ever and holds its sizes: `,S=` octets of the file, `,W=` octets with CRLF. Small letters among
 * the flags are keywords, by their place in `dovecot-keywords`.
 */

const LETTERS = Object.freeze({ D: SYSTEM.draft, F: SYSTEM.flagged, R: SYSTEM.answered, S: SYSTEM.seen, T: SYSTEM.deleted })
const A = 97
/** Keywords that a Maildir can tell apart. */
export const MAX_KEYWORDS = 26

/** Base and flags of a name; flags that mean nothing here are kept in `other`. */
export function parseName(name) {
  const colon = name.indexOf(':')
  const [base, info] = colon === -1 ? [name, ''] : [name.slice(0, colon), name.slice(colon)]
  return { base, info, ...parseInfo(info) }
}
/** Flags by what follows the base. */
export function parseInfo(info) {
  let [system, keywords, other] = [0, 0, '']
  if (info.startsWith(':2,')) {
    for (const letter of info.slice(3)) {
      const bit = LETTERS[letter]
      const place = letter.charCodeAt(0) - A
      if (bit !== undefined) system |= bit
      else if (place >= 0 && place < MAX_KEYWORDS) keywords |= 1 << place
      else other += letter
    }
  }
  return { system, keywords, other }
}
/** `:2,` and the letters in the order of their codes, as the format wants it. */
export function infoOf({ system, keywords, other }) {
  const letters = [...other]
  for (const [letter, bit] of Object.entries(LETTERS)) if ((system & bit) !== 0) letters.push(letter)
  for (let place = 0; place < MAX_KEYWORDS; place++) if ((keywords & (1 << place)) !== 0) letters.push(String.fromCharCode(A + place))
  return `:2,${letters.sort().join('')}`
}
/** Octets of the file and octets with CRLF, where the name says them. Those with CRLF are believed where both can be: each octet has a CR before it at most. */
export function sizesOf(base) {
  const [stored, size] = [numberIn(base, ',S='), numberIn(base, ',W=')]
  return { stored, size: stored !== undefined && size >= stored && size <= 2 * stored ? size : undefined }
}
function numberIn(base, key) {
  const digits = new RegExp(`${key}(\\d{1,10})(?:,|$)`).exec(base)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/*
 * The internal date is the file's time of modification, in whole seconds. The part of a second, at which nobody else looks, says the zone: minutes
 * east in units of half a millisecond, and some odd microseconds by which a time of somebody else is told apart.
 */
const UNIT_US = 500
const MARK_US = 41
const OFFSET = 960
/** Time of modification that says a date and its zone. */
export function timeOfDate({ ms, zone }) {
  const second = Math.floor(ms / 1000) * 1000
  return Math.abs(zone) < OFFSET ? second + ((zone + OFFSET) * UNIT_US + MARK_US + 0.3) / 1000 : second
}
/** Whether a file of this date tells it: years whose times every file system keeps, and node takes exactly. Otherwise it must be asked what it tells. */
export function isTold({ ms, zone }) {
  return ms >= 0 && ms < Date.UTC(2038, 0, 1) && Math.abs(zone) < OFFSET
}
/** The date that a time of modification says; UTC where it says no zone. */
export function dateOfTime(mtimeMs) {
  const ms = Math.floor(mtimeMs / 1000) * 1000
  const units = (Math.floor((mtimeMs - ms) * 1000 + 0.3) - MARK_US) / UNIT_US
  return { ms, zone: Number.isInteger(units) && units > 0 && units < 2 * OFFSET ? units - OFFSET : 0 }
}
