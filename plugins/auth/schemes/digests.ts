import { createHash } from 'node:crypto'
import { MailError, type PasswordScheme } from 'mailwright/api'
import { equalOctets } from '../shared/equal.js'
import { hmacMd5States } from './md5-state.js'

/** How the digest of one label is computed. */
interface Digest {
  readonly octets: number
  /** After the digest stands a salt. */
  readonly salted: boolean
  compute(password: Uint8Array, salt: Uint8Array, user: string | undefined): Uint8Array
}
const md5 = (...parts: readonly (string | Uint8Array)[]): Uint8Array => hashed('md5', ...parts)
function hashed(algorithm: string, ...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const h = createHash(algorithm)
  for (const part of parts) h.update(part)
  return h.digest()
}
const plain = (algorithm: string, octets: number): Digest => ({ octets, salted: false, compute: (password) => hashed(algorithm, password) })
const salted = (algorithm: string, octets: number): Digest => ({ octets, salted: true, compute: (password, salt) => hashed(algorithm, password, salt) })
const hmac: Digest = { octets: 32, salted: false, compute: (password) => hmacMd5States(password, md5) }

/** Salted SHA: quick to try, so a rehash is due, but no table made beforehand helps. */
export const SALTED: Readonly<Record<string, Digest>> = {
  SSHA: salted('sha1', 20),
  SSHA256: salted('sha256', 32),
  SSHA512: salted('sha512', 64),
}
/** Without a salt, or of MD5. */
export const WEAK: Readonly<Record<string, Digest>> = {
  SHA: plain('sha1', 20),
  SHA1: plain('sha1', 20),
  SHA256: plain('sha256', 32),
  SHA512: plain('sha512', 64),
  MD5: plain('md5', 16),
  'PLAIN-MD5': plain('md5', 16),
  'LDAP-MD5': plain('md5', 16),
  SMD5: salted('md5', 16),
  'CRAM-MD5': hmac,
  'HMAC-MD5': hmac,
  // RFC 2831 §2.1.2.1, with the part behind the @ as realm.
  'DIGEST-MD5': {
    octets: 16,
    salted: false,
    compute(password, _salt, user) {
      if (user === undefined) throw new MailError('corrupt', 'a {DIGEST-MD5} form needs to know whose it is')
      const at = user.lastIndexOf('@')
      return md5(`${at < 0 ? user : user.slice(0, at)}:${at < 0 ? '' : user.slice(at + 1)}:`, password)
    },
  },
}

/** `{SSHA}...` and its like (RFC 2307 and its successors), in base64 or hexadecimal; `.HEX` and `.B64` behind the name say which. */
export function digestScheme(digests: Readonly<Record<string, Digest>>, refused: string | undefined): PasswordScheme {
  return {
    prefixes: Object.keys(digests).flatMap((name) => [`{${name}}`, `{${name}.HEX}`, `{${name}.B64}`]),
    ...(refused === undefined ? {} : { refused }),
    // oxlint-disable-next-line typescript/require-await -- what is thrown must be a rejection
    async check(stored, password, user) {
      const { digest, octets } = parse(digests, stored)
      return equalOctets(digest.compute(password.reveal(), octets.subarray(digest.octets), user), octets.subarray(0, digest.octets))
    },
    outdated: () => true,
  }
}

function parse(digests: Readonly<Record<string, Digest>>, stored: string): { readonly digest: Digest; readonly octets: Uint8Array } {
  const [, label = '', encoding, text = ''] = /^\{([A-Z0-9-]+)(?:\.(HEX|B64))?\}(.*)$/is.exec(stored) ?? []
  const digest = digests[label.toUpperCase()]
  if (digest === undefined) throw new MailError('corrupt', 'a stored digest has no name that is known')
  const isHex = encoding === undefined ? /^(?:[0-9a-f]{2})+$/i.test(text) && text.length >= digest.octets * 2 : encoding.toUpperCase() === 'HEX'
  const octets = Buffer.from(text, isHex ? 'hex' : 'base64')
  const isFine = isHex ? octets.length * 2 === text.length : /^[A-Za-z0-9+/]+={0,2}$/.test(text)
  if (!isFine || (digest.salted ? octets.length <= digest.octets : octets.length !== digest.octets)) {
    throw new MailError('corrupt', `a stored {${label}} form is not ${digest.octets} octets${digest.salted ? ' and a salt' : ''} in base64 or hexadecimal`)
  }
  return { digest, octets }
}
