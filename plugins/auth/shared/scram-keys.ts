import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import type { ScramKeys } from 'mailwright/api'
import { utf8 } from './names.js'
import { saslprep } from 'mailwright/toolkit'

/** The hash functions of SCRAM (RFC 5802, RFC 7677), as Node calls them. */
export type ScramHash = 'sha1' | 'sha256'
/** Of new keys. RFC 7677 §4 wants at least 4096; clients compute as much at every login, and phones are among them. */
export const SCRAM_ITERATIONS = 10_000
/** More than this was put there to stop clients, or the server. */
const MAX_SCRAM_ITERATIONS = 5_000_000
const SALT_OCTETS = 16

/** Keys of a password (RFC 5802 §3), with a new salt where none is given. Off the main thread. */
export async function scramKeys(hash: ScramHash, password: Uint8Array, iterations = SCRAM_ITERATIONS, salt: Uint8Array = randomBytes(SALT_OCTETS)): Promise<ScramKeys> {
  const salted = await saltedPassword(hash, password, salt, iterations)
  const clientKey = createHmac(hash, salted).update('Client Key').digest()
  return { salt, iterations, storedKey: createHash(hash).update(clientKey).digest(), serverKey: createHmac(hash, salted).update('Server Key').digest() }
}

/** RFC 5802 §2.2 `Hi`. A password that SASLprep refuses is taken as it is: a client that lets it pass does the same. */
function saltedPassword(hash: ScramHash, password: Uint8Array, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
  const text = utf8(password)
  const prepared = text === undefined ? undefined : saslprep(text)
  const octets = hash === 'sha1' ? 20 : 32
  return new Promise((resolve, reject) => {
    pbkdf2(prepared === undefined ? password : Buffer.from(prepared), salt, iterations, octets, hash, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

const LABELS: Readonly<Record<ScramHash, string>> = { sha1: '{SCRAM-SHA-1}', sha256: '{SCRAM-SHA-256}' }

/** `{SCRAM-SHA-256}iterations,salt,stored key,server key`, the last three in base64. */
export function formatScram(hash: ScramHash, keys: ScramKeys): string {
  return LABELS[hash] + [String(keys.iterations), ...[keys.salt, keys.storedKey, keys.serverKey].map((b) => Buffer.from(b).toString('base64'))].join(',')
}
/** The opposite; also PostgreSQL's and RFC 5803's `SCRAM-SHA-256$iterations:salt$stored:server`. Undefined when it is none. */
export function parseScram(stored: string): { readonly hash: ScramHash; readonly keys: ScramKeys } | undefined {
  const found = /^(?:\{SCRAM-SHA-(1|256)\}(\d{1,7}),([^,]+),([^,]+),([^,]+)|SCRAM-SHA-(1|256)\$(\d{1,7}):([^$]+)\$([^:]+):(.+))$/.exec(stored)
  if (found === null) return undefined
  const [size, iterations, salt, storedKey, serverKey] = found[1] === undefined ? found.slice(6) : found.slice(1)
  const hash = size === '1' ? 'sha1' : 'sha256'
  const octets = (text: string | undefined): Uint8Array => Buffer.from(text ?? '', 'base64')
  const keys: ScramKeys = { iterations: Number(iterations), salt: octets(salt), storedKey: octets(storedKey), serverKey: octets(serverKey) }
  const length = hash === 'sha1' ? 20 : 32
  const usable = keys.iterations >= 1 && keys.iterations <= MAX_SCRAM_ITERATIONS && keys.salt.length > 0 && keys.storedKey.length === length && keys.serverKey.length === length
  return usable ? { hash, keys } : undefined
}
