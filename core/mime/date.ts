/** A date as a header has it. */
export interface HeaderDate {
  /** Days since 1 January 1970 of the date as written, whatever its zone. */
  readonly day: number
  /** Milliseconds since 1970; without a time of day midnight, without a zone UTC. */
  readonly ms: number
  /** Minutes east. */
  readonly zone: number
}

const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec'
const ZONES: Readonly<Record<string, number>> = {
  ut: 0, utc: 0, gmt: 0, z: 0, est: -300, edt: -240, cst: -360, cdt: -300, mst: -420, mdt: -360, pst: -480, pdt: -420,
  wet: 0, west: 60, bst: 60, cet: 60, met: 60, cest: 120, mest: 120, eet: 120, eest: 180, msk: 180, ist: 330, jst: 540, kst: 540, hst: -600,
}
const DAY_MS = 86_400_000

/**
 * Reads `Fri, 21 Nov 1997 09:55:06 -0600` with the obsolete forms of RFC 5322 §4.3 (two-digit years, named zones, comments), and what broken
 * programs write: no day name, `21-Nov-97`, ctime's `Fri Nov 21 09:55:06 1997`, ISO 8601, dots in the time. Undefined when there is no day in it.
 */
export function parseHeaderDate(text: string): HeaderDate | undefined {
  if (text.length > 500) return undefined
  const usual = readUsual(text)
  if (usual !== null) return usual
  const iso = /^\s*(\d{4})-(\d\d?)-(\d\d?)(?:[Tt ]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*([Zz]|[+-]\d\d:?\d\d)?)?/.exec(text)
  if (iso !== null) {
    const [, y, mo, d, h = '0', mi = '0', s = '0', z] = iso
    return compose(Number(y), Number(mo) - 1, Number(d), [Number(h), Number(mi), Number(s)], z === undefined ? 0 : (readZone(z.replace(':', '')) ?? 0))
  }
  let day: number | undefined
  let month: number | undefined
  let year: number | undefined
  let time: readonly number[] | undefined
  let zone: number | undefined
  for (const token of uncomment(text).replace(/\s*:\s*/g, ':').split(/[\s,]+/)) {
    if (token === '') continue
    const first = token.charCodeAt(0)
    if (/^\d\d?[-/][A-Za-z]{3,9}[-/]\d{2,4}$/.test(token) && day === undefined) {
      const [d, m, y] = token.split(/[-/]/) as [string, string, string]
      day = Number(d)
      month = readMonth(m)
      year = readYear(y)
    } else if (first >= 0x30 && first <= 0x39) {
      const clock = time === undefined ? /^(\d\d?)[:.](\d\d?)(?:[:.](\d\d?))?(?:[:.,]\d+)?([ap]m)?$/i.exec(token) : null
      if (clock !== null) time = readTime(clock)
      else if (/^\d+(?:st|nd|rd|th)?$/i.test(token)) {
        if (day === undefined && token.length <= 4 && Number.parseInt(token, 10) <= 31) day = Number.parseInt(token, 10)
        else if (year === undefined && token.length <= 4) year = readYear(token)
        else return undefined
      }
    } else if (first === 0x2b || first === 0x2d) zone ??= readZone(token)
    else if (month === undefined && readMonth(token) !== undefined) month = readMonth(token)
    else if (time !== undefined) zone ??= readZone(token)
  }
  if (day === undefined || month === undefined || year === undefined) return undefined
  return compose(year, month, day, time ?? [0, 0, 0], zone ?? 0)
}

const SP = 0x20
const COLON = 0x3a

/**
 * The form that nearly all mail has, `Fri, 21 Nov 1997 09:55:06 -0600` with or without the name of the day, seconds, and a comment at the end; null:
 * some other form. Octet by octet, since sorting a mailbox reads the dates of all its messages.
 */
function readUsual(text: string): HeaderDate | undefined | null {
  let at = 0
  if (text[3] === ',') {
    if (!isLetter(text, 0) || !isLetter(text, 1) || !isLetter(text, 2) || text.charCodeAt(4) !== SP) return null
    at = 5
  }
  if (text.charCodeAt(at) === SP) at++
  let day = digits(text, at, 2)
  if (day === -1) day = digits(text, at++, 1)
  else at += 2
  const month = monthAt(text, at + 1)
  const year = digits(text, at + 5, 4)
  const hour = digits(text, at + 10, 2)
  const minute = digits(text, at + 13, 2)
  const isApart = text.charCodeAt(at) === SP && text.charCodeAt(at + 4) === SP && text.charCodeAt(at + 9) === SP && text.charCodeAt(at + 12) === COLON
  if (!isApart || day === -1 || month === undefined || year === -1 || hour === -1 || minute === -1) return null
  at += 15
  const hasSeconds = text.charCodeAt(at) === COLON
  const second = hasSeconds ? digits(text, at + 1, 2) : 0
  if (hasSeconds) at += 3
  const sign = text[at + 1]
  const zone = digits(text, at + 2, 4)
  if (second === -1 || zone === -1 || text.charCodeAt(at) !== SP || (sign !== '+' && sign !== '-')) return null
  if (text.length > at + 6 && !/^ \([^()]*\)$/.test(text.slice(at + 6))) return null
  const minutes = Math.floor(zone / 100) * 60 + (zone % 100)
  return compose(year, month, day, [hour, minute, second], minutes >= 1440 ? 0 : sign === '-' ? -minutes : minutes)
}
function isLetter(text: string, at: number): boolean {
  const c = text.charCodeAt(at) | 0x20
  return c >= 0x61 && c <= 0x7a
}
/** The number of this many digits; -1 where there are fewer. */
function digits(text: string, at: number, count: number): number {
  let number = 0
  for (let i = at; i < at + count; i++) {
    const d = text.charCodeAt(i) - 0x30
    // Not a number behind the end of the text.
    if (!(d >= 0 && d <= 9)) return -1
    number = number * 10 + d
  }
  return number
}
/** Months by their three letters, in lower case. */
const MONTH_CODES: ReadonlyMap<number, number> = new Map(Array.from({ length: 12 }, (_, i) => [letters(MONTHS, 3 * i), i]))
function letters(text: string, at: number): number {
  return ((text.charCodeAt(at) | 0x20) << 16) | ((text.charCodeAt(at + 1) | 0x20) << 8) | (text.charCodeAt(at + 2) | 0x20)
}
function monthAt(text: string, at: number): number | undefined {
  return isLetter(text, at) && isLetter(text, at + 1) && isLetter(text, at + 2) ? MONTH_CODES.get(letters(text, at)) : undefined
}

const MONTH_DAYS: readonly number[] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}
/** Days since 1970 of a date of the Gregorian calendar; months from 0. Undefined when there is no such day. */
function dayNumber(year: number, month: number, day: number): number | undefined {
  const most = month === 1 && isLeap(year) ? 29 : (MONTH_DAYS[month] ?? 0)
  if (year < 100 || day < 1 || day > most) return undefined
  // Years that begin in March have their leap day at the end.
  const from = month < 2 ? year - 1 : year
  const months = (month + 10) % 12
  const ofYears = 365 * from + Math.floor(from / 4) - Math.floor(from / 100) + Math.floor(from / 400)
  return ofYears + Math.floor((153 * months + 2) / 5) + day - 719_469
}

/** The day that a moment falls on where it was dated. */
export function dayOf(ms: number, zone: number): number {
  return Math.floor((ms + zone * 60_000) / DAY_MS)
}

function compose(year: number, month: number, day: number, time: readonly number[], zone: number): HeaderDate | undefined {
  const number = dayNumber(year, month, day)
  const [h = 0, m = 0, s = 0] = time
  if (number === undefined || h > 23 || m > 59 || s > 60) return undefined
  return { day: number, ms: number * DAY_MS + ((h * 60 + m) * 60 + s) * 1000 - zone * 60_000, zone }
}

function readTime(clock: RegExpExecArray): readonly number[] {
  let hour = Number(clock[1])
  const half = clock[4]?.toLowerCase()
  if (half === 'pm' && hour < 12) hour += 12
  if (half === 'am' && hour === 12) hour = 0
  return [hour, Number(clock[2]), Number(clock[3] ?? 0)]
}

function readMonth(word: string): number | undefined {
  if (word.length < 3) return undefined
  const at = MONTHS.indexOf(word.slice(0, 3).toLowerCase())
  return at >= 0 && at % 3 === 0 ? at / 3 : undefined
}

/** RFC 5322 §4.3: 00 to 49 are 2000 and on, 50 to 99 and three digits count from 1900. */
function readYear(digits: string): number {
  const year = Number.parseInt(digits, 10)
  if (digits.length >= 4) return year
  return digits.length === 3 || year >= 50 ? 1900 + year : 2000 + year
}

function readZone(token: string): number | undefined {
  const numeric = /^([+-])(\d\d)(\d\d)$/.exec(token)
  if (numeric !== null) {
    const minutes = Number(numeric[2]) * 60 + Number(numeric[3])
    return minutes >= 1440 ? undefined : numeric[1] === '-' ? -minutes : minutes
  }
  return ZONES[token.toLowerCase()]
}

function uncomment(text: string): string {
  if (!text.includes('(')) return text
  let out = ''
  let depth = 0
  for (const c of text) {
    if (c === '(') depth++
    else if (c === ')' && depth > 0) depth--
    else if (depth === 0) out += c
  }
  return out
}
