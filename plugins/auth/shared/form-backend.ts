import { PASSWORD, SCRAM_SHA_1, SCRAM_SHA_256, type CredentialKind, type Held } from 'mailwright/api'
import { clearIn, scramIn } from './forms.js'
import { heldAs } from './held.js'

/** Kinds that may be found among stored forms. */
export const FORM_KINDS = [SCRAM_SHA_1, SCRAM_SHA_256, PASSWORD] as const

/** A credential out of the stored forms of a user, in which forms the password itself counts only where the operator allows that. */
export function credentialIn<T>(forms: readonly string[], user: string, kind: CredentialKind<T>, handsOutClear: boolean): Held<T> | undefined {
  for (const [scram, hash] of [[SCRAM_SHA_1, 'sha1'], [SCRAM_SHA_256, 'sha256']] as const) {
    const keys = kind.id === scram.id ? scramIn(forms, hash) : undefined
    if (keys !== undefined) return heldAs(kind, scram, user, keys)
  }
  const clear = handsOutClear && kind.id === PASSWORD.id ? clearIn(forms) : undefined
  return clear === undefined ? undefined : heldAs(kind, PASSWORD, user, clear)
}
