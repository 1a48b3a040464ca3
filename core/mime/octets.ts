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
  return text.includes('\n') ? text.replace(/\r?\n[ \t]*/g, (fold) => ' '.repeat(fold.length - fold.indexOf('\n') - 1)) : text
}

/** A field's value without line breaks and surrounding white space. */
export function fieldValue(octets: Uint8Array, from: number, to: number): string {
  let start = from
  let end = to
  while (end > start && isSpace(octets[end - 1]!)) end--
  while (start < end && isSpace(octets[start]!)) start++
  return unfold(latin1(octets, start, end))
}

function isSpace(octet: number): boolean {
  return octet === 0x20 || octet === 0x09 || octet === 0x0d || octet === 0x0a
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
