import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { MailError, type PasswordScheme } from 'mailwright/api'
import { equalText, withoutLabel } from '../shared/equal.js'

const DEFAULT_ROUNDS = 5000
const MIN_ROUNDS = 1000
/** Minutes of work; the format allows a hundred times more. */
const MAX_ROUNDS = 10_000_000
const MAX_SALT = 16
/** About a millisecond: others get the loop in between. */
const ROUNDS_PER_TURN = 400
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** One of the two: which hash, which mark, and in which order its octets are written. */
interface Variant {
  readonly algorithm: 'sha256' | 'sha512'
  readonly mark: '$5$' | '$6$'
  readonly labels: readonly string[]
  readonly digestOctets: number
}
export const SHA256_CRYPT: Variant = { algorithm: 'sha256', mark: '$5$', labels: ['{SHA256-CRYPT}'], digestOctets: 32 }
export const SHA512_CRYPT: Variant = { algorithm: 'sha512', mark: '$6$', labels: ['{SHA512-CRYPT}'], digestOctets: 64 }

/** SHA-crypt (Drepper, "Unix crypt using SHA-256 and SHA-512", 2008), for hashes that come from a shadow file. */
export function shaCryptScheme(variant: Variant): PasswordScheme {
  const checked = (stored: string): ReturnType<typeof parse> & object => {
    const parsed = parse(variant, withoutLabel(stored))
    if (parsed === undefined) throw new MailError('corrupt', `a stored ${variant.algorithm}-crypt hash is not of the form ${variant.mark}salt$hash, or has more than ${MAX_ROUNDS} rounds`)
    return parsed
  }
  return {
    prefixes: [variant.mark, ...variant.labels],
    async check(stored, password) {
      const { salt, rounds, hash } = checked(stored)
      return equalText(await shaCrypt(variant, password.reveal(), salt, rounds), hash)
    },
    outdated: (stored) => checked(stored).rounds < DEFAULT_ROUNDS,
  }
}

function parse(variant: Variant, text: string): { readonly salt: string; readonly rounds: number; readonly hash: string } | undefined {
  const found = /^\$[56]\$(?:rounds=(\d{1,9})\$)?([^$:\n]{0,64})\$([./0-9A-Za-z]+)$/.exec(text)
  if (found === null || !text.startsWith(variant.mark)) return undefined
  const rounds = Math.max(MIN_ROUNDS, found[1] === undefined ? DEFAULT_ROUNDS : Number(found[1]))
  return rounds > MAX_ROUNDS ? undefined : { rounds, salt: (found[2] ?? '').slice(0, MAX_SALT), hash: found[3] ?? '' }
}

/** The encoded digest alone. Letters name the values as the specification does; its steps are the numbers. */
export async function shaCrypt(variant: Variant, key: Uint8Array, saltText: string, rounds: number): Promise<string> {
  const digest = (...parts: readonly Uint8Array[]): Uint8Array => {
    const h = createHash(variant.algorithm)
    for (const part of parts) h.update(part)
    return h.digest()
  }
  const salt = Buffer.from(saltText)
  // 4-8
  const b = digest(key, salt, key)
  // 1-3, 9-12
  const parts: Uint8Array[] = [key, salt, stretched(b, key.length)]
  for (let bits = key.length; bits > 0; bits >>>= 1) parts.push((bits & 1) === 1 ? b : key)
  let c = digest(...parts)
  // 13-16: the key, as often as it has octets
  const p = stretched(digest(stretched(key, key.length * key.length)), key.length)
  // 17-20
  const s = stretched(digest(stretched(salt, salt.length * (16 + (c[0] ?? 0)))), salt.length)
  // 21
  for (let i = 0; i < rounds; i++) {
    const odd = (i & 1) === 1
    const h = createHash(variant.algorithm).update(odd ? p : c)
    if (i % 3 !== 0) h.update(s)
    if (i % 7 !== 0) h.update(p)
    c = h.update(odd ? c : p).digest()
    if (i % ROUNDS_PER_TURN === ROUNDS_PER_TURN - 1) await setImmediate()
  }
  return encode(variant, c)
}

/** Repeats `octets` up to a length. */
function stretched(octets: Uint8Array, length: number): Uint8Array {
  const out = Buffer.alloc(length)
  for (let at = 0; at < length; at += octets.length) out.set(octets.subarray(0, Math.min(octets.length, length - at)), at)
  return out
}

/** 22: threes of octets, each a third of the digest apart and starting one further than the last, turned by one each time. */
function encode(variant: Variant, c: Uint8Array): string {
  const octet = (i: number): number => c[i] ?? 0
  const third = Math.floor(variant.digestOctets / 3)
  // The order turns to the left in one variant and to the right in the other.
  const turn = variant.algorithm === 'sha512' ? 1 : 2
  let out = ''
  for (let i = 0; i < third; i++) {
    const three = [i, i + third, i + 2 * third]
    const at = (k: number): number => octet(three[(k + i * turn) % 3] ?? 0)
    out += sixBits((at(0) << 16) | (at(1) << 8) | at(2), 4)
  }
  return out + (variant.algorithm === 'sha512' ? sixBits(octet(63), 2) : sixBits((octet(31) << 8) | octet(30), 3))
}

function sixBits(value: number, characters: number): string {
  let out = ''
  for (let n = 0, rest = value; n < characters; n++, rest >>>= 6) out += ALPHABET[rest & 63] ?? ''
  return out
}
