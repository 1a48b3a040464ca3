import { randomBytes, scrypt, type ScryptOptions } from 'node:crypto'
import { MailError, type PasswordScheme } from 'mailwright/api'
import { equalOctets, withoutLabel } from '../shared/equal.js'
import { formatPhc, parsePhc, type PhcString } from './phc.js'

/** Cost of new hashes: N is 2 to the power of `ln`. */
export interface ScryptCost {
  readonly ln: number
  readonly r: number
  readonly p: number
}
const SALT_OCTETS = 16
const HASH_OCTETS = 32
const MAX_MEMORY = 1024 * 1024 * 1024

/** scrypt (RFC 7914) as `$scrypt$ln=17,r=8,p=1$salt$hash`. */
export function scryptScheme(cost: ScryptCost): PasswordScheme {
  return {
    prefixes: ['$scrypt$', '{SCRYPT}'],
    async check(stored, password) {
      const parsed = parseScrypt(stored)
      return equalOctets(await compute(parsed, password.reveal()), parsed.hash)
    },
    async make(password) {
      const parameters = new Map([['ln', cost.ln], ['r', cost.r], ['p', cost.p]])
      const blank: PhcString = { id: 'scrypt', version: undefined, parameters, salt: randomBytes(SALT_OCTETS), hash: new Uint8Array(HASH_OCTETS) }
      return formatPhc({ ...blank, hash: await compute(blank, password.reveal()) })
    },
    outdated(stored) {
      const { parameters } = parseScrypt(stored)
      return (parameters.get('ln') ?? 0) < cost.ln || (parameters.get('r') ?? 0) < cost.r
    },
  }
}

function parseScrypt(stored: string): PhcString {
  const parsed = parsePhc(withoutLabel(stored))
  if (parsed === undefined || parsed.id !== 'scrypt' || parsed.hash.length < 16) {
    throw new MailError('corrupt', 'a stored scrypt hash is not of the form $scrypt$ln=...,r=...,p=...$salt$hash')
  }
  const { ln, r, p } = costOf(parsed)
  if (ln < 1 || ln > 24 || r < 1 || p < 1 || p > 64 || 128 * r * 2 ** ln > MAX_MEMORY) {
    throw new MailError('corrupt', `a stored scrypt hash wants ln=${ln},r=${r},p=${p}, which is out of bounds`)
  }
  return parsed
}

function costOf(parsed: PhcString): ScryptCost {
  const [ln = 0, r = 0, p = 0] = ['ln', 'r', 'p'].map((name) => parsed.parameters.get(name))
  return { ln, r, p }
}

function compute(parsed: PhcString, password: Uint8Array): Promise<Uint8Array> {
  const { ln, r, p } = costOf(parsed)
  // OpenSSL counts the mixing blocks too.
  const options: ScryptOptions = { N: 2 ** ln, r, p, maxmem: 128 * r * (2 ** ln + p + 2) + 65_536 }
  return new Promise((resolve, reject) => {
    scrypt(password, parsed.salt, parsed.hash.length, options, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}
