import { dayOf } from 'mailwright/toolkit'

/**
 * The separator line of traditional mailboxes. It is matched backwards from its end, because the sender may contain
 * anything; only separators are looked at, so a line can be a From line and bear no date.
 */

const SP = 32
const COLON = 58
const PLUS = 43
const MINUS = 45
const REMOTE_FROM = Buffer.from(' remote from')
/** `From Www Mmm dd hh:mm:ss yyyy` less two: shorter lines are no From lines. */
const SHORTEST = 27
/** Only a line this long is looked at for ` remote from host`. */
const SHORTEST_REMOTE = 41

/** Whether the line starts with the five octets `From `. */
export function startsWithFrom(b: Uint8Array, start: number): boolean {
  return b[start] === 70 && b[start + 1] === 114 && b[start + 2] === 111 && b[start + 3] === 109 && b[start + 4] === SP
}

/** End of the line without ` remote from host`. */
function withoutRemote(b: Uint8Array, start: number, end: number): number {
  if (end - start < SHORTEST_REMOTE) return end
  let space = end - 1
  while (space > start && b[space] !== SP) space--
  const cut = space - REMOTE_FROM.length
  if (cut <= start) return end
  for (let i = 0; i < REMOTE_FROM.length; i++) if (b[cut + i] !== REMOTE_FROM[i]) return end
  return cut
}

/** Index of the space that ends the time, or -1. */
function endOfTime(b: Uint8Array, end: number): number {
  if (b[end - 5] === SP) {
    if (b[end - 8] === COLON) return end - 5
    if (b[end - 9] === SP) return end - 9
    return b[end - 11] === SP && isSign(b[end - 10]) ? end - 11 : -1
  }
  if (b[end - 4] === SP) return b[end - 9] === SP ? end - 9 : -1
  return b[end - 6] === SP && b[end - 11] === SP && isSign(b[end - 5]) ? end - 11 : -1
}
function isSign(octet: number | undefined): boolean {
  return octet === PLUS || octet === MINUS
}

/** Whether `b[start, end)` is a From line; `end` excludes LF and one CR before it. */
export function isFromLine(b: Uint8Array, start: number, end: number): boolean {
  if (!startsWithFrom(b, start)) return false
  const last = withoutRemote(b, start, end)
  if (last - start < SHORTEST) return false
  const t = endOfTime(b, last)
  if (t < 0 || b[t - 3] !== COLON) return false
  const s = b[t - 6] === COLON ? t - 9 : t - 6
  return b[s] === SP && b[s - 3] === SP && b[s - 7] === SP && b[s - 11] === SP
}

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'
/** Minutes east; other names mean the zone of this machine. */
const ZONES: Readonly<Record<string, number>> = {
  UTC: 0, GMT: 0, UT: 0, MET: 60, EET: 120, JST: 540, ADT: -180, AST: -240, EDT: -240, EST: -300, CDT: -300,
  CST: -360, MDT: -360, MST: -420, PDT: -420, PST: -480, YDT: -480, YST: -540, HST: -600,
}

/** What a From line says of its time; `undefined` when the date cannot be understood. */
export interface FromDate {
  readonly ms: number
  readonly zone: number
}

/** Date of a line that `isFromLine` accepted. Without a zone it is local time of this machine. */
export function fromLineDate(b: Uint8Array, start: number, end: number): FromDate | undefined {
  const last = withoutRemote(b, start, end)
  const t = endOfTime(b, last)
  const withSeconds = b[t - 6] === COLON
  const s = withSeconds ? t - 9 : t - 6
  const month = monthAt(b, s - 6)
  const day = b[s - 2] === SP ? digits(b, s - 1, s) : digits(b, s - 2, s)
  const hour = digits(b, s + 1, s + 3)
  const minute = digits(b, s + 4, s + 6)
  const second = withSeconds ? digits(b, s + 7, s + 9) : 0
  // What follows the time: a year, a zone and a year, or a year and a zone.
  const middle = last - t - 1 === 4 ? -1 : b.indexOf(SP, t + 1)
  const yearFirst = middle < 0 || middle === t + 5
  const year = yearFirst ? digits(b, t + 1, t + 5) : digits(b, middle + 1, last)
  const zone = middle < 0 ? 'local' : yearFirst ? zoneAt(b, middle + 1, last) : zoneAt(b, t + 1, middle)
  if (Number.isNaN(year) || zone === undefined || (!yearFirst && last - middle !== 5)) return undefined
  if (month < 0 || !(day >= 1 && day <= 31 && hour <= 23 && minute <= 59 && second <= 60)) return undefined
  if (zone === 'local') {
    const local = new Date(2000, month, day, hour, minute, second)
    // Given to the constructor, the years 0 to 99 are those of a century ago.
    local.setFullYear(year, month, day)
    return { ms: local.getTime(), zone: 0 - local.getTimezoneOffset() }
  }
  return { ms: (((dayOf(year, month + 1, day) * 24 + hour) * 60 + minute - zone) * 60 + second) * 1000, zone }
}

function monthAt(b: Uint8Array, at: number): number {
  for (let n = 0; n < 12; n++) {
    let same = true
    // Letters of either case: bit 0x20 apart.
    for (let i = 0; i < 3; i++) same &&= ((b[at + i] ?? 0) | 32) === (MONTHS.charCodeAt(3 * n + i) | 32)
    if (same) return n
  }
  return -1
}
/** Decimal number, or NaN. */
function digits(b: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = (b[i] ?? 0) - 48
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}
function zoneAt(b: Uint8Array, from: number, to: number): number | 'local' | undefined {
  if (to - from === 5 && isSign(b[from])) {
    const minutes = digits(b, from + 1, from + 3) * 60 + digits(b, from + 3, to)
    if (Number.isNaN(minutes)) return undefined
    return b[from] === MINUS ? 0 - minutes : minutes
  }
  const name = Buffer.from(b.buffer, b.byteOffset + from, to - from).toString('latin1')
  return /^[A-Za-z]{1,3}$/.test(name) ? (ZONES[name.toUpperCase()] ?? 'local') : undefined
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const two = (n: number): string => String(n).padStart(2, '0')

/** The sign stands for the whole offset: -00:30 is `-0030`. */
export function zoneText(zone: number): string {
  const minutes = Math.abs(zone)
  return `${zone < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`
}
/** `Www Mmm dd hh:mm:ss yyyy` of a time in its zone. */
export function ctimeText(ms: number, zone: number): string {
  const at = new Date(ms + zone * 60_000)
  const month = MONTHS.slice(3 * at.getUTCMonth(), 3 * at.getUTCMonth() + 3)
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`
  return `${DAYS[at.getUTCDay()]} ${month} ${String(at.getUTCDate()).padStart(2, ' ')} ${time} ${String(at.getUTCFullYear()).padStart(4, '0')}`
}
/** From line of a message that arrives here. */
export function fromLine(sender: string, ms: number, zone: number): string {
  return `From ${sender} ${ctimeText(ms, zone)} ${zoneText(zone)}\n`
}
/** `23 Nov 2026 01:44:50 +0000`, as the pseudo-message has it: without weekday, day of two digits. */
export function rfcDate(ms: number, zone: number): string {
  const at = new Date(ms + zone * 60_000)
  const month = MONTHS.slice(3 * at.getUTCMonth(), 3 * at.getUTCMonth() + 3)
  return `${two(at.getUTCDate())} ${month} ${at.getUTCFullYear()} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} ${zoneText(zone)}`
}
