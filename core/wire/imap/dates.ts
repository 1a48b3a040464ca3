/*
 * Dates of RFC 3501 §9 ("date", "date-time") without Date objects: INTERNALDATE is written for every message of a FETCH.
 * A day is a count of calendar days since 1970-01-01, as written, in whatever zone it was written.
 */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
const MONTH_OCTETS = new Uint8Array(36)
for (let m = 0; m < 12; m++) for (let i = 0; i < 3; i++) MONTH_OCTETS[m * 3 + i] = MONTHS[m]!.charCodeAt(i)
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** An instant and the zone in which it was written, in minutes east. */
export interface ZonedTime {
  readonly ms: number
  readonly zone: number
}

/** Days since 1970-01-01 of a date of the Gregorian calendar; `month` from 1. */
export function dayOf(year: number, month: number, day: number): number {
  // Years begin in March, so that the leap day is the last of a year.
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}
/** The calendar day of an instant in its zone. */
export function dayOfTime(ms: number, zone: number): number {
  return Math.floor((ms + zone * MINUTE_MS) / DAY_MS)
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
function monthOf(name: string): number {
  return MONTHS.findIndex((m) => m.toLowerCase() === name.toLowerCase()) + 1
}

/** Day of `1-Feb-1994`; also with a blank before the day, and with two digits of the year (70-99 is 19xx, 00-69 is 20xx). Undefined: no date. */
export function parseDay(text: string): number | undefined {
  const found = /^ ?(\d{1,2})-([A-Za-z]{3})-(\d{4}|\d{2})$/.exec(text)
  if (found === null) return undefined
  const month = monthOf(found[2]!)
  const written = Number(found[3])
  const year = found[3]!.length === 4 ? written : written + (written < 70 ? 2000 : 1900)
  const day = Number(found[1])
  return month === 0 || day < 1 || day > daysIn(year, month) ? undefined : dayOf(year, month, day)
}

/** `17-Jul-1996 02:44:25 -0700`; the day may be ` 7` or `7`. Undefined: no date-time. A leap second counts as the second after. */
export function parseDateTime(text: string): ZonedTime | undefined {
  const found = /^ ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/.exec(text)
  if (found === null) return undefined
  const month = monthOf(found[2]!)
  const year = Number(found[3])
  const day = Number(found[1])
  const hour = Number(found[4])
  const minute = Number(found[5])
  const second = Number(found[6])
  const zoneMinutes = Number(found[9])
  if (month === 0 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60 || zoneMinutes > 59) return undefined
  const zone = (Number(found[8]) * 60 + zoneMinutes) * (found[7] === '-' ? -1 : 1)
  return { ms: (dayOf(year, month, day) * 1440 + hour * 60 + minute - zone) * MINUTE_MS + second * 1000, zone }
}

/** Octets that `writeDateTime` writes. */
export const DATE_TIME_OCTETS = 26

/** Writes `17-Jul-1996 02:44:25 -0700`, day padded with a blank (RFC 3501 §9 "date-day-fixed"), without quotes. Years outside 0-9999 are written as the nearest. */
export function writeDateTime(into: Uint8Array, at: number, ms: number, zone: number): void {
  const local = Math.floor(ms / 1000) + zone * 60
  const days = Math.floor(local / 86_400)
  const seconds = local - days * 86_400
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  const year = Math.min(9999, Math.max(0, yearOfEra + era * 400 + (month <= 2 ? 1 : 0)))
  two(into, at, day)
  if (day < 10) into[at] = 32
  into[at + 2] = 45
  const name = (month - 1) * 3
  into[at + 3] = MONTH_OCTETS[name]!
  into[at + 4] = MONTH_OCTETS[name + 1]!
  into[at + 5] = MONTH_OCTETS[name + 2]!
  into[at + 6] = 45
  two(into, at + 7, Math.floor(year / 100))
  two(into, at + 9, year % 100)
  into[at + 11] = 32
  two(into, at + 12, Math.floor(seconds / 3600))
  into[at + 14] = 58
  two(into, at + 15, Math.floor(seconds / 60) % 60)
  into[at + 17] = 58
  two(into, at + 18, seconds % 60)
  into[at + 20] = 32
  into[at + 21] = zone < 0 ? 45 : 43
  const east = Math.min(Math.abs(zone), 5999)
  two(into, at + 22, Math.floor(east / 60))
  two(into, at + 24, east % 60)
}
function two(into: Uint8Array, at: number, n: number): void {
  const tens = (n / 10) | 0
  into[at] = 48 + tens
  into[at + 1] = 48 + n - tens * 10
}
