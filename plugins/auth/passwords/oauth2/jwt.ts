import type { JWTVerifyGetKey } from 'jose'
import type { TokenCheck } from './backend.js'

/** Only signatures that a provider makes with a key of its own; `none` and shared secrets are no proof of anything. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** Checks signed tokens (RFC 7519) with the keys of the provider, from its address or from a file. */
export async function jwtCheck(keys: { readonly url: string } | { readonly json: string }, now: () => number, timeoutMs: number): Promise<TokenCheck> {
  const jose = await import('jose')
  const { JWTClaimValidationFailed, JWTInvalid, JWSInvalid, JWSSignatureVerificationFailed, JOSEAlgNotAllowed, JOSENotSupported, JWKSNoMatchingKey, JWKSMultipleMatchingKeys } = jose.errors
  const refused = [JWTClaimValidationFailed, JWTInvalid, JWSInvalid, JWSSignatureVerificationFailed, JOSEAlgNotAllowed, JOSENotSupported, JWKSNoMatchingKey, JWKSMultipleMatchingKeys]
  const find: JWTVerifyGetKey =
    'url' in keys ? jose.createRemoteJWKSet(new URL(keys.url), { timeoutDuration: timeoutMs, cooldownDuration: 30_000 }) : jose.createLocalJWKSet(JSON.parse(keys.json) as Parameters<typeof jose.createLocalJWKSet>[0])
  return async (token) => {
    try {
      const { payload } = await jose.jwtVerify(token, find, { algorithms: ALGORITHMS, clockTolerance: 30, currentDate: new Date(now()), requiredClaims: ['exp'] })
      return payload
    } catch (error) {
      if (error instanceof jose.errors.JWTExpired) return 'expired'
      if (refused.some((kind) => error instanceof kind)) return 'invalid'
      // Keys that cannot be had, or are none: nobody's token is at fault.
      throw error
    }
  }
}
