/** Octets of a base64 line (RFC 4648 §4): no white space, padding where it belongs. Undefined: it is none. */
export function decodeBase64(line: Uint8Array): Uint8Array | undefined {
  if (line.length % 4 !== 0) return undefined
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  return Buffer.from(text, 'base64')
}
