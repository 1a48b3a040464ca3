/*
 * Formats with a file per message have the internal date as the file's time of modification, in whole seconds; programs of the family look at no more.
 * The part of a second, which they do not see, says the zone: minutes in units of half a millisecond, and an odd number of microseconds by which a
 * time that some other program set is told apart (one in 500 is mistaken; then the zone is wrong, and the time is not).
 */
const UNIT_US = 500
const MARK_US = 77
/** Times are cut off at a microsecond or kept longer, and rounded to a quarter of one on the way. */
const SLACK_US = 0.3
/** So that zones from -15:59 to +15:59 are in the range of a second. */
const OFFSET = 960

/** Time of modification that says a date and its zone. */
export function timeOfDate(ms: number, zone: number): number {
  const seconds = Math.floor(ms / 1000) * 1000
  return Math.abs(zone) < OFFSET ? seconds + ((zone + OFFSET) * UNIT_US + MARK_US + SLACK_US) / 1000 : seconds
}
/** Years whose times every file system keeps, and node takes exactly. */
const [EARLIEST, LATEST] = [0, Date.UTC(2038, 0, 1)]
/** Whether a file of this date tells it; otherwise it must be asked what it tells. */
export function isTold(ms: number, zone: number): boolean {
  return ms >= EARLIEST && ms < LATEST && Math.abs(zone) < OFFSET
}
/** Date that a time of modification says; UTC where it says no zone. */
export function dateOfTime(mtimeMs: number): { readonly ms: number; readonly zone: number } {
  const ms = Math.floor(mtimeMs / 1000) * 1000
  const us = Math.floor((mtimeMs - ms) * 1000 + SLACK_US)
  const units = (us - MARK_US) / UNIT_US
  return { ms, zone: Number.isInteger(units) && units > 0 && units < 2 * OFFSET ? units - OFFSET : 0 }
}
