import { randomBytes } from 'node:crypto'
import { MailError, type PasswordScheme, type Secret } from 'mailwright/api'
import type { Argon2Engine } from './argon2-engine.js'
import { equalOctets, withoutLabel } from '../shared/equal.js'
import { formatPhc, parsePhc, type PhcString } from './phc.js'

/** Cost of new hashes; OWASP's first choice, and the default of most programs. */
export interface Argon2Cost {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}
const VERSION = 0x13
const SALT_OCTETS = 16
const HASH_OCTETS = 32
/** A hash that wants more was damaged or put there to stop the server. */
const MAX_MEMORY_KIB = 1024 * 1024
const MAX_PASSES = 100

/** Argon2id and Argon2i (RFC 9106); without an engine, stored hashes are an outage, not a wrong password. */
export function argon2Scheme(engine: Argon2Engine | undefined, cost: Argon2Cost): PasswordScheme {
  const compute = async (stored: PhcString, password: Secret): Promise<Uint8Array> => {
    if (engine === undefined) {
      throw new MailError('unavailable', 'argon2 hashes need Node 24.7 or the package "@node-rs/argon2": run "npm install @node-rs/argon2"')
    }
    const [memoryKib = 0, passes = 0, lanes = 0] = ['m', 't', 'p'].map((name) => stored.parameters.get(name))
    const variant = stored.id === 'argon2i' ? 'argon2i' : 'argon2id'
    return await engine({ variant, password: password.reveal(), salt: stored.salt, memoryKib, passes, lanes, octets: stored.hash.length })
  }
  const scheme: PasswordScheme = {
    prefixes: ['$argon2id$', '$argon2i$', '{ARGON2ID}', '{ARGON2I}', '{ARGON2}'],
    async check(stored, password) {
      const parsed = parseArgon2(stored)
      return equalOctets(await compute(parsed, password), parsed.hash)
    },
    outdated(stored) {
      const { id, parameters } = parseArgon2(stored)
      return id !== 'argon2id' || (parameters.get('m') ?? 0) < cost.memoryKib || (parameters.get('t') ?? 0) < cost.passes
    },
  }
  if (engine === undefined) return scheme
  return {
    ...scheme,
    async make(password) {
      const parameters = new Map([['m', cost.memoryKib], ['t', cost.passes], ['p', cost.lanes]])
      const blank: PhcString = { id: 'argon2id', version: VERSION, parameters, salt: randomBytes(SALT_OCTETS), hash: new Uint8Array(HASH_OCTETS) }
      return formatPhc({ ...blank, hash: await compute(blank, password) })
    },
  }
}

function parseArgon2(stored: string): PhcString {
  const parsed = parsePhc(withoutLabel(stored))
  const memory = parsed?.parameters.get('m') ?? 0
  const passes = parsed?.parameters.get('t') ?? 0
  const lanes = parsed?.parameters.get('p') ?? 0
  if (parsed === undefined || (parsed.id !== 'argon2id' && parsed.id !== 'argon2i') || parsed.version !== VERSION || parsed.hash.length < 4) {
    throw new MailError('corrupt', 'a stored argon2 hash is not of the form $argon2id$v=19$m=...,t=...,p=...$salt$hash')
  }
  if (lanes < 1 || lanes > 255 || memory < 8 * lanes || memory > MAX_MEMORY_KIB || passes < 1 || passes > MAX_PASSES) {
    throw new MailError('corrupt', `a stored argon2 hash wants m=${memory},t=${passes},p=${lanes}, which is out of bounds`)
  }
  return parsed
}
