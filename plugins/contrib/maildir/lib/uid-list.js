import { fileNameOctets } from 'mailwright/api'

/*
 * `dovecot-uidlist`, version 3: `3 V<uidvalidity> N<next uid> G<guid>`, then a line `UID [fields] :NAME` for each message, ascending. Lines are
 * appended while the file is locked; the next uid is the header's or the one behind the last line, whichever is larger.
 */

const LINE = Object.freeze({ 1: /^(\d+)()\s+(.+)$/, 3: /^(\d+) ((?:[A-Za-z]\S* )*):(.+)$/ })

/** What the file says. Undefined: it is no such list. Names are without flags; an unfinished last line is nothing. `more`: other facts of a message, as they stand; `last`: the highest number of a line. */
export function parseUidList(text) {
  const head = parseHead(text)
  if (head === undefined) return undefined
  const { old, end, ...facts } = head
  const { uids, sizes, more, last, whole } = parseLines(text.slice(end), LINE[old ? 1 : 3])
  return { ...facts, next: Math.max(head.next, last + 1), last, uids, sizes, more, whole: whole && !old }
}
/** UIDVALIDITY, by how a list begins; undefined where it is none. */
export function validityOf(text) {
  return parseHead(text)?.validity
}
/** Its first line; `end`: characters of it. Undefined where it is none, or no whole line. */
function parseHead(text) {
  const end = text.indexOf('\n')
  if (end === -1) return undefined
  const fields = text.slice(0, end).split(' ')
  if (fields[0] !== '3' && fields[0] !== '1') return undefined
  const old = fields[0] === '1'
  const field = (letter) => fields.find((f) => f.startsWith(letter))?.slice(1)
  const validity = Number(old ? fields[1] : field('V'))
  const next = Number(old ? fields[2] : field('N'))
  if (!isUid(validity) || !isUid(next)) return undefined
  return { validity, next, guid: field('G') ?? '', others: old ? [] : fields.slice(1).filter((f) => f !== '' && !/^[VNG]/.test(f)), old, end: end + 1 }
}
/** Lines of messages; those that say nothing are passed over, and are not `sound`. `whole`: no line is unfinished. */
export function parseLines(text, form = LINE[3]) {
  const [uids, sizes, more] = [new Map(), new Map(), new Map()]
  let [last, sound, at] = [0, true, 0]
  for (let end = text.indexOf('\n'); end !== -1; at = end + 1, end = text.indexOf('\n', at)) {
    if (end === at) continue
    const [, digits, facts, name] = form.exec(text.slice(at, end)) ?? []
    const uid = Number(digits)
    if (name === undefined || !isUid(uid) || uid <= last) {
      sound = false
      continue
    }
    last = uid
    const colon = name.indexOf(':')
    const base = colon === -1 ? name : name.slice(0, colon)
    uids.set(base, uid)
    if (facts === '') continue
    more.set(base, facts)
    const size = /(?:^| )W(\d+) /.exec(facts)?.[1]
    if (size !== undefined) sizes.set(base, Number(size))
  }
  return { uids, sizes, more, last, sound, whole: at === text.length }
}
/**
 * What its beginning and its end say, where that is enough: the next number and the last one of a line. Undefined: all of it must be read. `tail` begins anywhere in
 * the lines.
 */
export function parseEnds(head, tail) {
  const first = parseHead(head)
  const from = tail.indexOf('\n') + 1
  if (first === undefined || first.old || from === 0) return undefined
  const { last, sound, whole } = parseLines(tail.slice(from))
  return sound && whole && last > 0 ? { validity: first.validity, next: Math.max(first.next, last + 1), last, whole: true } : undefined
}
function isUid(n) {
  return Number.isInteger(n) && n > 0 && n <= 0xffffffff
}
/** What it says besides stays, whatever it means to others. */
export function headText({ validity, next, guid, others }) {
  return `${['3', `V${validity}`, `N${next}`, ...(guid === '' ? [] : [`G${guid}`]), ...others].join(' ')}\n`
}
/** `more`: what others noted of the message (sizes, POP3 names and order, GUID), as it stood. */
export function lineText(uid, base, more = '') {
  return `${uid} ${more}:${base}\n`
}
/** The line of this number, and the octets up to its end (`from`); 0 as a number: the head, with which the text begins then. Both undefined: there is none. */
export function lineOf(text, uid) {
  const begin = uid === 0 ? 0 : text.lastIndexOf(`\n${uid} `) + 1
  const end = uid > 0 && begin === 0 ? -1 : text.indexOf('\n', begin)
  return end === -1 ? { from: undefined, line: undefined } : { from: fileNameOctets(text.slice(0, end + 1)).length, line: text.slice(begin, end + 1) }
}
