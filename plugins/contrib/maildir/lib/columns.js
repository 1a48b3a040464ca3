import { createColumn } from 'mailwright/api'

/** `cur/` or `new/`, and the name of the file: its base, which never changes, and its flags. */
export const FILE = createColumn('maildir.file', 'ref')

export function isNew(file) {
  return file.startsWith('new/')
}
/** Where the base ends. */
function endOfBase(file) {
  const colon = file.indexOf(':', 4)
  return colon === -1 ? file.length : colon
}
export function baseOf(file) {
  return file.slice(4, endOfBase(file))
}
/** `:2,FS`; empty where the name has no flags. */
export function infoIn(file) {
  return file.slice(endOfBase(file))
}

/** Rows of the messages of a set, ascending; costs what it finds, and not what there is. */
export function* rowsOf({ uid, length }, { ranges }) {
  let row = 0
  for (let i = 0; i < ranges.length; i += 2) {
    row = firstFrom(uid, row, length, ranges[i])
    for (; row < length && uid[row] <= ranges[i + 1]; row++) yield row
  }
}
/** The first row, from `low` on, whose uid is at least this one. */
function firstFrom(uids, low, high, uid) {
  while (low < high) {
    const middle = (low + high) >>> 1
    if (uids[middle] < uid) low = middle + 1
    else high = middle
  }
  return low
}
