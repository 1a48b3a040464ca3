import type { OtpChain } from 'mailwright/api'
import { passwordOfWords } from './six-words.js'

/** An extended response (RFC 2243). */
export interface OtpResponse {
  /** The password that was asked for, 8 octets. */
  readonly password: Uint8Array
  /** The chain that is to follow it; `unfit`: one is wanted that cannot be had. */
  readonly next?: OtpChain | 'unfit'
}
type Form = (text: string) => Uint8Array | undefined

/** Types of responses (RFC 2243 §3 and §4): how passwords are written in them, and whether a new chain follows. */
const TYPES: ReadonlyMap<string, { readonly form: Form; readonly renews: boolean }> = new Map([
  ['hex', { form: passwordOfDigits, renews: false }],
  ['word', { form: passwordOfWords, renews: false }],
  ['init-hex', { form: passwordOfDigits, renews: true }],
  ['init-word', { form: passwordOfWords, renews: true }],
])
/** RFC 2444 §3: numbers go from 1 to 9999; a chain whose first password is its last is none. */
const SEQUENCE = { least: 2, most: 9999 }

/**
 * `hex:...`, `word:...`, or with `init-` before them `PASSWORD:ALGORITHM SEQUENCE SEED:PASSWORD`; undefined when it is none of them.
 *
 * @param current the chain that is asked: a new one with the same seed would repeat its passwords, if the passphrase is the same.
 */
export function parseOtpResponse(text: string, current: Pick<OtpChain, 'seed'>): OtpResponse | undefined {
  const [type = '', first, params, last, ...more] = text.split(':')
  const kind = TYPES.get(type.trim().toLowerCase())
  const password = first === undefined ? undefined : kind?.form(first)
  if (kind === undefined || password === undefined) return undefined
  if (!kind.renews) return params === undefined ? { password } : undefined
  const chain = params === undefined || last === undefined || more.length > 0 ? undefined : newChain(params, kind.form(last))
  return { password, next: chain === undefined || chain.seed.toLowerCase() === current.seed.toLowerCase() ? 'unfit' : chain }
}

function newChain(params: string, last: Uint8Array | undefined): OtpChain | undefined {
  const [, algorithm = '', digits, seed] = /^\s*(md5|sha1)\s+(\d{1,4})\s+([A-Za-z0-9]{1,16})\s*$/i.exec(params) ?? []
  const sequence = Number(digits)
  if (seed === undefined || last === undefined || sequence < SEQUENCE.least || sequence > SEQUENCE.most) return undefined
  return { algorithm: algorithm.toLowerCase() === 'sha1' ? 'sha1' : 'md5', sequence, seed, last }
}

function passwordOfDigits(text: string): Uint8Array | undefined {
  const digits = text.replaceAll(/[ \t]/g, '')
  return /^[0-9a-f]{16}$/i.test(digits) ? Buffer.from(digits, 'hex') : undefined
}
