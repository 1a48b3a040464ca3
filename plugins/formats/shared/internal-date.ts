import { dayOf, DATE_TIME_OCTETS, parseDateTime, writeDateTime, type ZonedTime } from 'mailwright/toolkit'

/*
 * Internal dates as mailbox files have them: `dd-Mmm-yyyy hh:mm:ss +zzzz`, 26 octets as written here, and in older forms as read.
 */

/** Hours east of the names that mailbox files were written with. */
const ZONES: Readonly<Record<string, number>> = {
  UT: 0, UTC: 0, GMT: 0, MET: 1, EET: 2, JST: 9, ADT: -3, AST: -4, EDT: -4, EST: -5, CDT: -5, CST: -6, MDT: -6, MST: -7, PDT: -7, PST: -8, YDT: -8, YST: -9, HST: -10,
}
/** A … I, K … M are hours east, N … Y hours west, Z is Greenwich. */
function militaryZone(letter: string): number | undefined {
  if (letter === 'Z') return 0
  const east = 'ABCDEFGHIKLM'.indexOf(letter)
  if (east >= 0) return east + 1
  const west = 'NOPQRSTUVWXY'.indexOf(letter)
  return west >= 0 ? -(west + 1) : undefined
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const OLD_FORM = /^\s*(\d{1,2})-([A-Za-z]{3})-(\d{2,4})\s+(\d{1,2}):(\d{2}):(\d{2})(?:\s*([+-]\d{4})|[\s-]+([A-Za-z]{1,5}))?\s*$/

/**
 * Date of a record, also with two or three digits of the year, one of the day, a name of a zone or none (the machine's own).
 * Undefined: no date.
 */
export function parseInternalDate(text: string): ZonedTime | undefined {
  const usual = parseDateTime(text)
  if (usual !== undefined) return usual
  const found = OLD_FORM.exec(text)
  if (found === null) return undefined
  const [, day, monthName = '', year = '', hour, minute, second, offset, name] = found
  const month = MONTHS.indexOf(monthName.toLowerCase()) + 1
  const written = Number(year)
  const full = year.length === 4 ? written : written + (written < 49 ? 2000 : 1900)
  const days = dayOf(full, month, Number(day))
  const isDay = month > 0 && Number(day) > 0 && days < (month === 12 ? dayOf(full + 1, 1, 1) : dayOf(full, month + 1, 1))
  if (!isDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  const local = (days * 1440 + Number(hour) * 60 + Number(minute)) * 60_000 + Number(second) * 1000
  const zone = offset === undefined ? (namedZone(name) ?? localZone(local)) : (offset.startsWith('-') ? -1 : 1) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(3)))
  return { ms: local - zone * 60_000, zone }
}
function namedZone(name: string | undefined): number | undefined {
  if (name === undefined) return undefined
  const upper = name.toUpperCase()
  const hours = upper.length === 1 ? militaryZone(upper) : ZONES[upper]
  return hours === undefined ? undefined : hours * 60
}

/** 26 octets. A date that the sender gave has its day padded with a blank, the time of delivery with a zero. */
export function writeInternalDate({ ms, zone }: ZonedTime, pad: ' ' | '0'): string {
  const into = Buffer.alloc(DATE_TIME_OCTETS)
  writeDateTime(into, 0, ms, zone)
  const text = into.toString('latin1')
  return pad === '0' && text.startsWith(' ') ? `0${text.slice(1)}` : text
}
/** Local times that all programs of the family can read: seven bits hold the year. */
const FIRST_MS = Date.UTC(1970, 0, 1)
const LAST_MS = Date.UTC(2098, 0, 1) - 1000
/** The date, or the nearest one that other programs can read: one that they cannot keeps them from opening the mailbox at all. */
export function readableDate({ ms, zone }: ZonedTime): ZonedTime {
  const local = ms + zone * 60_000
  return { ms: ms + Math.min(Math.max(local, FIRST_MS), LAST_MS) - local, zone }
}
/** Minutes east of this machine at a time. */
export function localZone(ms: number): number {
  return 0 - new Date(ms).getTimezoneOffset()
}
