import { createHash } from 'node:crypto'
import type { OtpChain } from 'mailwright/api'

/** One step of a chain of one-time passwords (RFC 2289): a digest folded to 8 octets. */
export function otpStep(algorithm: OtpChain['algorithm'], octets: Uint8Array): Uint8Array {
  const digest = createHash(algorithm).update(octets).digest()
  const out = Buffer.alloc(8)
  const words = Array.from({ length: digest.length / 4 }, (_, i) => (algorithm === 'md5' ? digest.readUInt32LE(i * 4) : digest.readUInt32BE(i * 4)))
  // SHA-1 has five words, of which the fifth goes with the first.
  for (const [i, word] of words.entries()) out.writeUInt32LE((out.readUInt32LE((i % 2) * 4) ^ word) >>> 0, (i % 2) * 4)
  return out
}

/** The password with a number; a seed is the same in capitals. */
export function otpPassword(algorithm: OtpChain['algorithm'], passphrase: Uint8Array, seed: string, sequence: number): Uint8Array {
  let octets = otpStep(algorithm, Buffer.concat([Buffer.from(seed.toLowerCase()), passphrase]))
  for (let i = 0; i < sequence; i++) octets = otpStep(algorithm, octets)
  return octets
}

/** `otp-md5 499 ke1234 0123456789abcdef`: algorithm, number of the last password used, seed, that password. */
export function formatOtpChain(c: OtpChain): string {
  return `otp-${c.algorithm} ${c.sequence} ${c.seed} ${Buffer.from(c.last).toString('hex')}`
}
/** The opposite; undefined when it is none. */
export function parseOtpChain(text: string): OtpChain | undefined {
  const [, algorithm, sequence, seed = '', last = ''] = /^otp-(md5|sha1) (\d{1,5}) ([A-Za-z0-9]{1,16}) ([0-9a-fA-F]{16})$/.exec(text) ?? []
  return algorithm === undefined ? undefined : { algorithm: algorithm === 'sha1' ? 'sha1' : 'md5', sequence: Number(sequence), seed, last: Buffer.from(last, 'hex') }
}
