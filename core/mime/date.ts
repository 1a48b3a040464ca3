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
/** What nearly all mail has. */
const USUAL = /^(?:[A-Za-z]{3}, )? ?(\d\d?) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d)(?::(\d\d))? ([+-]\d{4})(?: \([^()]*\))?$/
const DAY_MS = 86_400_000

/**
 * Reads `Fri, 21 Nov 1997 09:55:06 -0600` with the obsolete forms of RFC 5322 §4.3 (two-digit years, named zones, comments), and what broken
 * programs write: no day name, `21-Nov-97`, ctime's `Fri Nov 21 09:55:06 1997`, ISO 8601, dots in the time. Undefined when there is no day in it.
 */
export function parseHeaderDate(text: string): HeaderDate | undefined {
  if (text.length > 500) return undefined
  const usual = USUAL.exec(text)
  if (usual !== null) {
    const [, d, m, y, h, mi, s = '0', z] = usual
    const month = readMonth(m!)
    if (month !== undefined) return compose(Number(y), month, Number(d), [Number(h), Number(mi), Number(s)], readZone(z!) ?? 0)
  }
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

/** Days since 1970 of a calendar date; months from 0. Undefined when there is no such day. */
function dayNumber(year: number, month: number, day: number): number | undefined {
  const ms = Date.UTC(year, month, day)
  const back = new Date(ms)
  return year >= 100 && back.getUTCMonth() === month && back.getUTCDate() === day ? Math.round(ms / DAY_MS) : undefined
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
