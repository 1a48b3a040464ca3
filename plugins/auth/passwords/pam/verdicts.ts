import type { Refusal } from 'mailwright/api'
import type { PamAnswer } from './calls.js'

/** Codes of Linux-PAM that say something about the user; all others are outages. */
const CODES = { permissionDenied: 6, authError: 7, userUnknown: 10, maxTries: 11, newPasswordRequired: 12, accountExpired: 13, credentialsExpired: 16, passwordExpired: 27 } as const

const ALWAYS: Readonly<Record<number, Refusal>> = {
  [CODES.permissionDenied]: { kind: 'not-permitted' },
  [CODES.newPasswordRequired]: { kind: 'must-change' },
  [CODES.accountExpired]: { kind: 'expired' },
  [CODES.credentialsExpired]: { kind: 'expired' },
  [CODES.passwordExpired]: { kind: 'expired' },
}
/** Before the proof, and after it: whose password was right is not asked for elsewhere. */
const BY_STEP: Readonly<Partial<Record<PamAnswer['step'], Readonly<Record<number, Refusal>>>>> = {
  authenticate: { ...ALWAYS, [CODES.authError]: { kind: 'wrong-password' }, [CODES.maxTries]: { kind: 'wrong-password' }, [CODES.userUnknown]: { kind: 'unknown-user' } },
  account: { ...ALWAYS, [CODES.authError]: { kind: 'not-permitted' }, [CODES.userUnknown]: { kind: 'unknown-user', final: true } },
  credentials: { ...ALWAYS, [CODES.userUnknown]: { kind: 'unknown-user', final: true } },
}

/** What a code means for the login; undefined: nothing about the user, PAM itself cannot answer. */
export function refusalOf({ step, code }: Pick<PamAnswer, 'step' | 'code'>): Refusal | undefined {
  return BY_STEP[step]?.[code]
}

const MOST_LINES = 4
const MOST_CHARACTERS = 200
/** What modules said, as lines that a client can be shown. */
export function linesOf(messages: readonly string[]): readonly string[] {
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  const lines = messages.flatMap((text) => text.split('\n')).map((line) => line.replaceAll(/[\x00-\x1f\x7f]+/g, ' ').trim().slice(0, MOST_CHARACTERS))
  return lines.filter((line) => line !== '').slice(0, MOST_LINES)
}
