import type { Claim, Refusal } from '../../api/auth.js'
import { secret, type Secret } from '../../api/kernel.js'

/** Longest user name without its domain; longer ones are no accident (they were once used to overrun buffers). */
export const MAX_LOCAL_OCTETS = 64
/** Longest user name (RFC 5321 §4.5.3.1: a path of 256 octets less its brackets). */
const MAX_USER_OCTETS = 254
/** Longest password that is handed to a backend: the cost of some hashes grows with it. */
const MAX_PASSWORD_OCTETS = 1024

/** A name so long that it can only be an attack. */
export function isOversizedName(user: string): boolean {
  const at = user.lastIndexOf('@')
  const local = at < 0 ? user : user.slice(0, at)
  return Buffer.byteLength(user) > MAX_USER_OCTETS || Buffer.byteLength(local) > MAX_LOCAL_OCTETS
}

/**
 * What no backend is asked: names that are empty or hold control characters, and passwords that are empty, too long,
 * or hold a NUL, at which a hash function written in C would stop reading.
 */
export function refusedUnasked(claim: Claim): Refusal | undefined {
  // A token may say by itself whose it is.
  const isNameless = claim.kind === 'token' && claim.user === ''
  if ('user' in claim && !isNameless && !isNameLike(claim.user)) return { kind: 'malformed' }
  if (claim.kind === 'password') {
    const octets = claim.password.reveal()
    if (octets.length === 0) return { kind: 'wrong-password' }
    if (octets.length > MAX_PASSWORD_OCTETS || octets.includes(0)) return { kind: 'malformed' }
  }
  return undefined
}

/** Whether a name can be a user's at all. */
export function isNameLike(user: string): boolean {
  if (user.length === 0 || isOversizedName(user)) return false
  for (let i = 0; i < user.length; i++) {
    const unit = user.charCodeAt(i)
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0) || unit === 0xfffd) return false
  }
  return true
}

/** `user*admin`: the mailbox of the first with the password of the second. */
export function splitAdministrator(name: string): { readonly authcid: string; readonly authzid: string } {
  const star = name.indexOf('*')
  if (star <= 0 || star === name.length - 1) return { authcid: name, authzid: '' }
  return { authcid: name.slice(star + 1), authzid: name.slice(0, star) }
}

/** The password without the space that some clients put before it; undefined when there is none. */
export function withoutLeadingSpace(password: Secret): Secret | undefined {
  const octets = password.reveal()
  return octets.length > 1 && octets[0] === 0x20 ? secret(octets.subarray(1)) : undefined
}
