import { z } from 'zod'

/** What is demanded of a token, and where in it the name stands. */
export interface TokenRules {
  readonly userClaim: string
  readonly scope: string | undefined
}
/** A token that was found genuine. */
export type TokenOutcome = { readonly kind: 'accepted'; readonly user: string } | { readonly kind: 'not-permitted' | 'malformed' }

const scopes = z.union([z.string().transform((text) => text.split(' ')), z.array(z.string())])

/** The user of a genuine token, from its claims (RFC 7519, RFC 7662). */
export function userOf(claims: Readonly<Record<string, unknown>>, rules: TokenRules): TokenOutcome {
  const granted = scopes.safeParse(claims['scope'] ?? claims['scp'] ?? '').data ?? []
  if (rules.scope !== undefined && !granted.includes(rules.scope)) return { kind: 'not-permitted' }
  // An address that its owner has not shown to be theirs is anybody's.
  if (rules.userClaim === 'email' && claims['email_verified'] === false) return { kind: 'not-permitted' }
  const user = claims[rules.userClaim]
  return typeof user === 'string' && user !== '' ? { kind: 'accepted', user } : { kind: 'malformed' }
}
