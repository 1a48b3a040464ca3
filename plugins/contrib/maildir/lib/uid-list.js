/*
 * `dovecot-uidlist`, version 3: `3 V<uidvalidity> N<next uid> G<guid>`, then a line `UID [fields] :NAME` for each message, ascending. Lines are
 * appended while the file is locked; the next uid is the header's or the one behind the last line, whichever is larger.
 */

/** What the file says. Undefined: it is no such list. Names are without flags; an unfinished last line is nothing. `more`: other facts of a message, as they stand; `last`: the highest number of a line. */
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
  const more = new Map()
  let last = 0
  for (const line of lines) {
    if (line === '') continue
    const [, digits, facts, name] = (old ? /^(\d+)()\s+(.+)$/ : /^(\d+) ((?:[A-Za-z]\S* )*):(.+)$/).exec(line) ?? []
    const uid = Number(digits)
    if (name === undefined || !isUid(uid) || uid <= last) continue
    last = uid
    const base = name.split(':', 1)[0]
    uids.set(base, uid)
    if (facts !== '') more.set(base, facts)
    const size = /(?:^| )W(\d+) /.exec(facts)?.[1]
    if (size !== undefined) sizes.set(base, Number(size))
  }
  next = Math.max(next, last + 1)
  return { validity, next, last, guid: field('G') ?? '', others: old ? [] : fields.slice(1).filter((f) => f !== '' && !/^[VNG]/.test(f)), uids, sizes, more, whole: whole && !old }
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
