/*
 * The inner state of MD5 (RFC 1321) after one block of 64 octets, which node:crypto does not show. Password files of CRAM-MD5 hold the
 * two states of HMAC (RFC 2104) instead of the password.
 */

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
const SINES = Uint32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32))
const START = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const

/** The 16 octets of state after exactly one block. */
function md5State(block: Uint8Array): Uint8Array {
  const words = new DataView(block.buffer, block.byteOffset, 64)
  let [a, b, c, d]: [number, number, number, number] = [...START]
  for (let i = 0; i < 64; i++) {
    const round = i >> 4
    const [f, at] =
      round === 0 ? [(b & c) | (~b & d), i] : round === 1 ? [(d & b) | (~d & c), (5 * i + 1) % 16] : round === 2 ? [b ^ c ^ d, (3 * i + 5) % 16] : [c ^ (b | ~d), (7 * i) % 16]
    const sum = (a + f + (SINES[i] ?? 0) + words.getUint32(at * 4, true)) | 0
    const shift = SHIFTS[round * 4 + (i % 4)] ?? 0
    ;[a, d, c, b] = [d, c, b, (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0]
  }
  const out = Buffer.alloc(16)
  for (const [i, word] of [a, b, c, d].entries()) out.writeUInt32LE((word + (START[i] ?? 0)) >>> 0, i * 4)
  return out
}

/** States of HMAC-MD5 for a key: the outer, then the inner one; 32 octets. */
export function hmacMd5States(key: Uint8Array, md5: (octets: Uint8Array) => Uint8Array): Uint8Array {
  const block = new Uint8Array(64)
  block.set(key.length > 64 ? md5(key) : key)
  return Buffer.concat([0x5c, 0x36].map((pad) => md5State(block.map((octet) => octet ^ pad))))
}
