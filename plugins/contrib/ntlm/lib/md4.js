// @ts-check
/*
 * MD4 (RFC 1320), which OpenSSL 3 no longer offers. The NT hash is made of it; nothing else should be.
 */

const ROTATIONS = [[3, 7, 11, 19], [3, 5, 9, 13], [3, 9, 11, 15]]
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
]
const CONSTANTS = [0, 0x5a827999, 0x6ed9eba1]

/**
 * @param {Uint8Array} octets
 * @returns {Buffer} 16 octets
 */
export function md4(octets) {
  const padded = Buffer.alloc((((octets.length + 8) >> 6) + 1) << 6)
  padded.set(octets)
  padded[octets.length] = 0x80
  padded.writeUInt32LE((octets.length << 3) >>> 0, padded.length - 8)
  padded.writeUInt32LE(octets.length >>> 29, padded.length - 4)
  let state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
  for (let at = 0; at < padded.length; at += 64) {
    let [a = 0, b = 0, c = 0, d = 0] = state
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 16; i++) {
        const f = round === 0 ? (b & c) | (~b & d) : round === 1 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d
        const word = padded.readUInt32LE(at + (ORDERS[round]?.[i] ?? 0) * 4)
        const sum = (a + f + word + (CONSTANTS[round] ?? 0)) | 0
        const by = ROTATIONS[round]?.[i % 4] ?? 0
        ;[a, d, c, b] = [d, c, b, (sum << by) | (sum >>> (32 - by))]
      }
    }
    state = [a, b, c, d].map((word, i) => (word + (state[i] ?? 0)) | 0)
  }
  const out = Buffer.alloc(16)
  state.forEach((word, i) => out.writeInt32LE(word, i * 4))
  return out
}

/**
 * The NT hash of a password: as good as the password to whoever has it.
 * @param {string} password
 */
export function ntHash(password) {
  return md4(Buffer.from(password, 'utf16le'))
}
