/**
 * The password of a user in the text of an MD5 database, as octets; undefined when there is none.
 *
 * Lines are `user TAB password`, ended by CR, LF or both. Remarks (`#`), empty lines, lines without a TAB and lines without a password
 * say nothing. The password is everything after the first TAB. The exact name wins wherever it stands, the first of several; else a
 * name with capitals is looked for in lower case.
 */
export function findPassword(text: Uint8Array, user: string): { readonly user: string; readonly password: Uint8Array } | undefined {
  const octets = Buffer.from(text.buffer, text.byteOffset, text.length)
  const exact = Buffer.from(user)
  const lower = user.toLowerCase()
  const lowered = lower === user ? undefined : Buffer.from(lower)
  let second: Uint8Array | undefined
  for (const line of linesOf(octets)) {
    const tab = line.indexOf(TAB)
    if (tab <= 0 || tab === line.length - 1 || line[0] === HASH) continue
    const name = line.subarray(0, tab)
    if (name.equals(exact)) return { user, password: line.subarray(tab + 1) }
    if (lowered !== undefined && second === undefined && name.equals(lowered)) second = line.subarray(tab + 1)
  }
  return second === undefined ? undefined : { user: lower, password: second }
}

const TAB = 9
const LF = 10
const CR = 13
const HASH = 35

function* linesOf(octets: Buffer): Generator<Buffer> {
  let from = 0
  for (let at = 0; at <= octets.length; at++) {
    const octet = octets[at]
    if (octet !== LF && octet !== CR && octet !== undefined) continue
    if (at > from) yield octets.subarray(from, at)
    from = at + 1
  }
}
