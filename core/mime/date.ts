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
const DAY_MINUTES = 1440
/** Characters of what may be a date. */
const LONGEST = 500

/**
 * Reads `Fri, 21 Nov 1997 09:55:06 -0600` with the obsolete forms of RFC 5322 §4.3 (two-digit years, named zones, comments), and what broken
 * programs write: no day name, `21-Nov-97`, ctime's `Fri Nov 21 09:55:06 1997`, ISO 8601, dots in the time. Undefined when there is no day in it.
 */
export function parseHeaderDate(text: string): HeaderDate | undefined {
  if (text.length > LONGEST) return undefined
  // In UTF-8 nothing but ASCII has octets of ASCII.
  const octets = Buffer.from(text, 'utf8')
  const usual = readUsualDate(octets, 0, octets.length)
  if (usual !== null) return usual
  const iso = /^\s*(\d{4})-(\d\d?)-(\d\d?)(?:[Tt ]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*([Zz]|[+-]\d\d:?\d\d)?)?/.exec(text)
  if (iso !== null) {
    const [, y, mo, d, h = '0', mi = '0', s = '0', z] = iso
    return compose(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s), z === undefined ? 0 : (readZone(z.replace(':', '')) ?? 0))
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
  const [h = 0, m = 0, s = 0] = time ?? []
  return compose(year, month, day, h, m, s, zone ?? 0)
}

const SP = 0x20
const COLON = 0x3a
const COMMA = 0x2c
const PLUS = 0x2b
const MINUS = 0x2d
const OPEN = 0x28
const CLOSE = 0x29

/** What a digit is worth, and as one of tens; far below 0 where an octet is none, so that a sum with one of these is below 0 too. */
const ONES = Int32Array.from({ length: 256 }, (_, c) => (c >= 0x30 && c <= 0x39 ? c - 0x30 : -100_000))
const TENS = ONES.map((n) => 10 * n)

/**
 * The form that nearly all mail has, `Fri, 21 Nov 1997 09:55:06 -0600` with or without the name of the day, seconds, and a comment at the end, in
 * `octets[from…to)`; null: some other form. Sorting a mailbox reads the dates of all its messages, often by code that never ran before: so there is no
 * string, no loop, and one question for all digits.
 */
export function readUsualDate(octets: Uint8Array, from: number, to: number): HeaderDate | undefined | null {
  if (to - from > LONGEST) return null
  let at = from
  if (octets[from + 3] === COMMA) {
    if (!DAYS.has(lettersAt(octets, from)) || octets[from + 4] !== SP) return null
    at += 5
  }
  if (octets[at] === SP) at++
  const hasTwo = octets[at + 1] !== SP
  const day = hasTwo ? TENS[octets[at]!]! + ONES[octets[at + 1]!]! : ONES[octets[at]!]!
  at += hasTwo ? 2 : 1
  const month = MONTH_PLACES.get(lettersAt(octets, at + 1))
  const year = 100 * (TENS[octets[at + 5]!]! + ONES[octets[at + 6]!]!) + TENS[octets[at + 7]!]! + ONES[octets[at + 8]!]!
  const hour = TENS[octets[at + 10]!]! + ONES[octets[at + 11]!]!
  const minute = TENS[octets[at + 13]!]! + ONES[octets[at + 14]!]!
  const isApart = octets[at] === SP && octets[at + 4] === SP && octets[at + 9] === SP && octets[at + 12] === COLON
  at += 15
  const hasSeconds = octets[at] === COLON
  const second = hasSeconds ? TENS[octets[at + 1]!]! + ONES[octets[at + 2]!]! : 0
  if (hasSeconds) at += 3
  const sign = octets[at + 1]
  const zone = 60 * (TENS[octets[at + 2]!]! + ONES[octets[at + 3]!]!) + TENS[octets[at + 4]!]! + ONES[octets[at + 5]!]!
  // Behind the end of the octets no sum is a number.
  const isNumbers = day >= 0 && year >= 0 && hour >= 0 && minute >= 0 && second >= 0 && zone >= 0
  if (!isApart || !isNumbers || month === undefined || octets[at] !== SP || (sign !== PLUS && sign !== MINUS)) return null
  at += 6
  if (at > to || (at < to && !isComment(octets, at, to))) return null
  return compose(year, month, day, hour, minute, second, zone >= DAY_MINUTES ? 0 : sign === MINUS ? -zone : zone)
}
/** Whether this is a blank and a comment without others in it. */
function isComment(octets: Uint8Array, from: number, to: number): boolean {
  if (to - from < 3 || octets[from] !== SP || octets[from + 1] !== OPEN || octets[to - 1] !== CLOSE) return false
  for (let i = from + 2; i < to - 1; i++) if (octets[i] === OPEN || octets[i] === CLOSE) return false
  return true
}
/** Three letters as a number, small and large ones alike; what no letters are is not the number of any. */
function lettersAt(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 16) | (octets[at + 1]! << 8) | octets[at + 2]!) | 0x202020
}
const letters = (words: string): readonly number[] => Array.from({ length: words.length / 3 }, (_, i) => lettersAt(Buffer.from(words), 3 * i))
const MONTH_PLACES: ReadonlyMap<number, number> = new Map(letters(MONTHS).map((word, i) => [word, i]))
const DAYS: ReadonlySet<number> = new Set(letters('sunmontuewedthufrisat'))

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

function compose(year: number, month: number, day: number, h: number, m: number, s: number, zone: number): HeaderDate | undefined {
  const number = dayNumber(year, month, day)
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
