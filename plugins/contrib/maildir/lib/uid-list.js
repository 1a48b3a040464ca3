/*
 * `dovecot-uidlist`, version 3: `3 V<uidvalidity> N<next uid> G<guid>`, then a line `UID [fields] :NAME` for each message, ascending. Lines are
 * appended while the file is locked; the next uid is the header's or the one behind the last line, whichever is larger.
 */

/** What the file says. Undefined: it is no such list. Names are without flags; an unfinished last line is nothing. */
export function parseUidList(text) {
  const [head = '', ...lines] = text.split('\n')
  const fields = head.split(' ')
  if (fields[0] !== '3' && fields[0] !== '1') return undefined
  const whole = text.endsWith('\n')
  if (!whole) lines.pop()
  const old = fields[0] === '1'
  const field = (letter) => fields.find((f) => f.startsWith(letter))?.slice(1)
  const validity = Number(old ? fields[1] : field('V'))
  let next = Number(old ? fields[2] : field('N'))
  if (!isUid(validity) || !isUid(next) || !text.includes('\n')) return undefined
  const uids = new Map()
  const sizes = new Map()
  let last = 0
  for (const line of lines) {
    if (line === '') continue
    const [, digits, more, name] = (old ? /^(\d+)()\s+(.+)$/ : /^(\d+) ((?:[A-Za-z]\S* )*):(.+)$/).exec(line) ?? []
    const uid = Number(digits)
    if (name === undefined || !isUid(uid) || uid <= last) continue
    last = uid
    const base = name.split(':', 1)[0]
    uids.set(base, uid)
    const size = /(?:^| )W(\d+) /.exec(more)?.[1]
    if (size !== undefined) sizes.set(base, Number(size))
  }
  next = Math.max(next, last + 1)
  return { validity, next, guid: field('G') ?? '', uids, sizes, whole: whole && !old }
}
function isUid(n) {
  return Number.isInteger(n) && n > 0 && n <= 0xffffffff
}
export function headText({ validity, next, guid }) {
  return `3 V${validity} N${next}${guid === '' ? '' : ` G${guid}`}\n`
}
export function lineText(uid, base, size) {
  return `${uid}${size === undefined ? '' : ` W${size}`} :${base}\n`
}
