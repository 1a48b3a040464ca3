/** The same octets as a Buffer; nothing is copied. */
export function asBuffer(octets: Uint8Array): Buffer {
  return Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
}

/** Octets as a string of the characters 0 to 255, which loses nothing. */
export function latin1(octets: Uint8Array, from = 0, to = octets.length): string {
  return asBuffer(octets).toString('latin1', from, to)
}

/** The way back from `latin1`. Short ones share a buffer with others: who keeps them for long makes a copy. */
export function fromLatin1(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** ASCII letters raised, all other characters as they are. */
export function upperAscii(text: string): string {
  // toUpperCase would also raise é and split ß, which are octets here.
  return /[\x80-\xff]/.test(text) ? text.replace(/[a-z]+/g, (letters) => letters.toUpperCase()) : text.toUpperCase()
}

/** One line of header text without its line breaks; white space that began a line becomes blanks. */
export function unfold(text: string): string {
  let lf = text.indexOf('\n')
  if (lf === -1) return text
  let out = ''
  let from = 0
  for (; lf !== -1; lf = text.indexOf('\n', from)) {
    out += text.slice(from, lf > from && text.charCodeAt(lf - 1) === 0x0d ? lf - 1 : lf)
    from = lf + 1
    while (text.charCodeAt(from) === 0x20 || text.charCodeAt(from) === 0x09) from++
    out += ' '.repeat(from - lf - 1)
  }
  return out + text.slice(from)
}

/** A field's value, `text[from…to)`, without line breaks and surrounding white space. */
export function fieldValue(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  while (start < end && isSpace(text.charCodeAt(start))) start++
  return unfold(text.slice(start, end))
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x09 || c === 0x0d || c === 0x0a
}

const needsCare = /[^\x20-\x7e]|["\\]/
// eslint-disable-next-line no-control-regex
const needsLiteral = /[^\x20-\x7e]/

/** IMAP `string` of octets kept as Latin-1: quoted where that is possible, else a literal (RFC 3501 §4.3). NUL cannot be sent and is left out. */
export function wireString(text: string): string {
  if (!needsCare.test(text)) return `"${text}"`
  if (!needsLiteral.test(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`
  const sendable = text.replaceAll('\0', '')
  return `{${sendable.length}}\r\n${sendable}`
}

/** IMAP `nstring`. */
export function wireNstring(text: string | undefined): string {
  return text === undefined ? 'NIL' : wireString(text)
}
