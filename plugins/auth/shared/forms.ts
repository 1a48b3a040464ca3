import { secret, type ScramKeys, type Secret } from 'mailwright/api'
import type { Hashing } from './hashing.js'
import { formatScram, parseScram, scramKeys, type ScramHash } from './scram-keys.js'

/** Further forms of a password that may be kept beside its hash. `clear` is the password itself: whoever reads the file has it. */
export const FURTHER_FORMS = ['scram-sha-256', 'scram-sha-1', 'clear'] as const
export type FurtherForm = (typeof FURTHER_FORMS)[number]

const CLEAR = '{CLEAR.B64}'
const SCRAM: Readonly<Record<string, ScramHash>> = { 'scram-sha-256': 'sha256', 'scram-sha-1': 'sha1' }

/** Everything that is kept of a new password: its hash, then the further forms. */
export async function formsOf(password: Secret, keep: readonly FurtherForm[], hashing: Hashing, signal: AbortSignal): Promise<readonly string[]> {
  const forms = [await hashing.make(password, signal)]
  for (const form of keep) {
    const hash = SCRAM[form]
    forms.push(hash === undefined ? CLEAR + Buffer.from(password.reveal()).toString('base64') : formatScram(hash, await scramKeys(hash, password.reveal())))
  }
  return forms
}

/** The keys for one hash function, if the account has them. */
export function scramIn(forms: readonly string[], hash: ScramHash): ScramKeys | undefined {
  for (const form of forms) {
    const parsed = form.includes('SCRAM-SHA-') ? parseScram(form) : undefined
    if (parsed?.hash === hash) return parsed.keys
  }
  return undefined
}
/** The password itself, if the account has it. */
export function clearIn(forms: readonly string[]): Secret | undefined {
  for (const form of forms) {
    if (form.startsWith(CLEAR)) return secret(Buffer.from(form.slice(CLEAR.length), 'base64'))
    const [label] = /^\{(?:PLAIN|CLEARTEXT|CLEAR)\}/.exec(form) ?? []
    if (label !== undefined) return secret(Buffer.from(form.slice(label.length)))
  }
  return undefined
}
/** Which of the wanted forms an account lacks. */
export function missingForms(forms: readonly string[], keep: readonly FurtherForm[]): readonly FurtherForm[] {
  return keep.filter((form) => (form === 'clear' ? clearIn(forms) : scramIn(forms, SCRAM[form] ?? 'sha256')) === undefined)
}
