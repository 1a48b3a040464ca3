import { pbkdf2 } from 'node:crypto'
import { MailError, type PasswordScheme } from 'mailwright/api'
import { equalOctets } from '../shared/equal.js'

type Hash = 'sha1' | 'sha256' | 'sha512'
interface Parsed {
  readonly hash: Hash
  readonly iterations: number
  readonly salt: Uint8Array
  readonly key: Uint8Array
}
const MAX_ITERATIONS = 10_000_000
/** OWASP's figures of 2023. */
const ENOUGH: Readonly<Record<Hash, number>> = { sha1: 1_300_000, sha256: 600_000, sha512: 210_000 }

/** Base64 with `.` for `+` and without padding, as passlib and OpenLDAP write it. */
const ab64 = (text: string): Uint8Array => Buffer.from(text.replaceAll('.', '+'), 'base64')
const hashNamed = (name: string | undefined): Hash => (name === '256' ? 'sha256' : name === '512' ? 'sha512' : 'sha1')

/** One row per way to write it. */
const FORMS: readonly { readonly pattern: RegExp; read(found: readonly string[]): Parsed }[] = [
  {
    // passlib: $pbkdf2-sha256$29000$salt$key
    pattern: /^\$pbkdf2(?:-sha(1|256|512))?\$(\d{1,8})\$([A-Za-z0-9+/.]*)\$([A-Za-z0-9+/.]+)$/,
    read: ([, size, n, salt = '', key = '']) => ({ hash: hashNamed(size), iterations: Number(n), salt: ab64(salt), key: ab64(key) }),
  },
  {
    // OpenLDAP's module: {PBKDF2-SHA256}10000$salt$key
    pattern: /^\{PBKDF2(?:-SHA(1|256|512))?\}(\d{1,8})\$([A-Za-z0-9+/.]+)\$([A-Za-z0-9+/.]+)$/i,
    read: ([, size, n, salt = '', key = '']) => ({ hash: hashNamed(size), iterations: Number(n), salt: ab64(salt), key: ab64(key) }),
  },
  {
    // Dovecot: {PBKDF2}$1$salt$5000$key, SHA-1, the salt as it stands, the key in hexadecimal
    pattern: /^\{PBKDF2\}\$1\$([^$]+)\$(\d{1,8})\$((?:[0-9a-f]{2})+)$/i,
    read: ([, salt = '', n, key = '']) => ({ hash: 'sha1', iterations: Number(n), salt: Buffer.from(salt), key: Buffer.from(key, 'hex') }),
  },
  {
    // Django: pbkdf2_sha256$260000$salt$key
    pattern: /^pbkdf2_sha(1|256)\$(\d{1,8})\$([^$]+)\$([A-Za-z0-9+/]+=*)$/,
    read: ([, size, n, salt = '', key = '']) => ({ hash: hashNamed(size), iterations: Number(n), salt: Buffer.from(salt), key: Buffer.from(key, 'base64') }),
  },
]

/** PBKDF2 (RFC 8018) in the forms of passlib, OpenLDAP, Dovecot and Django; only for hashes that are there already. */
export const pbkdf2Scheme: PasswordScheme = {
  prefixes: ['$pbkdf2$', '$pbkdf2-sha1$', '$pbkdf2-sha256$', '$pbkdf2-sha512$', '{PBKDF2}', '{PBKDF2-SHA1}', '{PBKDF2-SHA256}', '{PBKDF2-SHA512}', 'pbkdf2_sha1$', 'pbkdf2_sha256$'],
  async check(stored, password) {
    const { hash, iterations, salt, key } = parse(stored)
    const computed = await new Promise<Uint8Array>((resolve, reject) => {
      pbkdf2(password.reveal(), salt, iterations, key.length, hash, (error, made) => (error === null ? resolve(made) : reject(error)))
    })
    return equalOctets(computed, key)
  },
  outdated(stored) {
    const { hash, iterations } = parse(stored)
    return iterations < ENOUGH[hash]
  },
}

function parse(stored: string): Parsed {
  for (const { pattern, read } of FORMS) {
    const found = pattern.exec(stored)
    if (found === null) continue
    const parsed = read(found)
    if (parsed.iterations >= 1 && parsed.iterations <= MAX_ITERATIONS && parsed.key.length >= 16 && parsed.key.length <= 64) return parsed
  }
  throw new MailError('corrupt', 'a stored PBKDF2 hash is of none of the known forms, or out of bounds')
}
