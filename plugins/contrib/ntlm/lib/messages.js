// @ts-check
/*
 * Messages of NTLM ([MS-NLMP] §2.2.1): octets to values and back. Everything a client says about places and lengths is checked.
 */

const SIGNATURE = Buffer.from('NTLMSSP\0', 'latin1')
const MAX_OCTETS = 8192
const UNICODE = 0x1
const REQUEST_TARGET = 0x4
const NTLM = 0x200
const TARGET_TYPE_SERVER = 0x20000
const EXTENDED_SESSION_SECURITY = 0x80000
const TARGET_INFO = 0x800000
const HEADER_OCTETS = 48
/** Up to the field of the version, which is optional. */
const NEGOTIATE_OCTETS = 32

/**
 * Whether this is a NEGOTIATE message.
 * @param {Uint8Array} octets
 */
export function isNegotiate(octets) {
  return typeOf(octets) === 1 && octets.length >= NEGOTIATE_OCTETS
}

/**
 * A CHALLENGE message that names the server, so that clients answer by NTLM version 2.
 * @param {Uint8Array} challenge 8 octets, never used again
 * @param {string} serverName
 */
export function writeChallenge(challenge, serverName) {
  const short = (serverName.split('.')[0] ?? '').toUpperCase().slice(0, 15)
  const target = Buffer.from(short, 'utf16le')
  const info = Buffer.concat([pair(2, short), pair(1, short), pair(4, serverName), pair(3, serverName), Buffer.alloc(4)])
  const out = Buffer.alloc(HEADER_OCTETS)
  SIGNATURE.copy(out)
  out.writeUInt32LE(2, 8)
  field(out, 12, target.length, HEADER_OCTETS)
  out.writeUInt32LE((UNICODE | REQUEST_TARGET | NTLM | TARGET_TYPE_SERVER | EXTENDED_SESSION_SECURITY | TARGET_INFO) >>> 0, 20)
  out.set(challenge.subarray(0, 8), 24)
  field(out, 40, info.length, HEADER_OCTETS + target.length)
  return Buffer.concat([out, target, info])
}

/**
 * What an AUTHENTICATE message says; undefined when it is none.
 * @param {Uint8Array} octets
 * @returns {{ user: string, domain: string, ntResponse: Buffer } | undefined}
 */
export function parseAuthenticate(octets) {
  if (typeOf(octets) !== 3 || octets.length < 64) return undefined
  const message = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  const isUnicode = (message.readUInt32LE(60) & UNICODE) !== 0
  const ntResponse = part(message, 20)
  const domain = part(message, 28)
  const user = part(message, 36)
  if (ntResponse === undefined || domain === undefined || user === undefined) return undefined
  // An odd number of octets is no UTF-16.
  if (isUnicode && (domain.length % 2 !== 0 || user.length % 2 !== 0)) return undefined
  const text = (/** @type {Buffer} */ octetsOf) => octetsOf.toString(isUnicode ? 'utf16le' : 'latin1')
  return { user: text(user), domain: text(domain), ntResponse }
}

/** @param {Uint8Array} octets */
function typeOf(octets) {
  if (octets.length < 12 || octets.length > MAX_OCTETS || !SIGNATURE.equals(octets.subarray(0, 8))) return undefined
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).readUInt32LE(8)
}
/**
 * @param {Buffer} message
 * @param {number} at
 */
function part(message, at) {
  const length = message.readUInt16LE(at)
  const from = message.readUInt32LE(at + 4)
  return from + length > message.length ? undefined : message.subarray(from, from + length)
}
/**
 * @param {Buffer} out
 * @param {number} at
 * @param {number} length
 * @param {number} from
 */
function field(out, at, length, from) {
  out.writeUInt16LE(length, at)
  out.writeUInt16LE(length, at + 2)
  out.writeUInt32LE(from, at + 4)
}
/**
 * @param {number} id
 * @param {string} text
 */
function pair(id, text) {
  const value = Buffer.from(text, 'utf16le')
  const head = Buffer.alloc(4)
  head.writeUInt16LE(id, 0)
  head.writeUInt16LE(value.length, 2)
  return Buffer.concat([head, value])
}
