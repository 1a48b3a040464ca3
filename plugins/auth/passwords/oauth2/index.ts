import { CLOCK, definePlugin, filePath, passwordBackends, secretSource } from 'mailwright/api'
import { z } from 'zod'
import { remoteSettings } from '../../shared/remote-settings.js'
import { withCache } from '../../shared/verdict-cache.js'
import { Oauth2Backend, type TokenCheck } from './backend.js'
import { introspect } from './introspection.js'
import { jwtCheck } from './jwt.js'

const address = (what: string): z.ZodURL => z.url({ protocol: /^https?$/, error: `expected the address of ${what}` })

/** Bearer tokens. */
export default definePlugin({
  id: 'passwords-oauth2',
  api: '1.0',
  summary: 'Bearer tokens of an identity provider, signed (JWT) or introspected, for OAUTHBEARER and XOAUTH2',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'oauth2',
      settings: z
        .strictObject({
          jwks: address("the provider's keys").optional().describe("Address of the provider's keys (jwks_uri): tokens are signed ones."),
          jwksFile: filePath().optional().describe('The same from a file, read when the server starts or the host is reloaded.'),
          introspection: address('the introspection endpoint').optional().describe('Address that tells about a token (RFC 7662): tokens are opaque.'),
          clientId: z.string().optional().describe('Who asks there.'),
          clientSecret: secretSource().optional().describe('And its secret.'),
          issuer: z.string().optional().describe('Who must have issued a token (iss).'),
          audience: z.array(z.string().min(1)).default([]).describe('For whom a token must be (aud), one of these; empty: for anybody, which also takes tokens made for other services.'),
          userClaim: z.string().min(1).default('email').describe('Where in a token the login name stands, such as email, preferred_username or username.'),
          scope: z.string().min(1).optional().describe('Scope that a token must have.'),
          ...remoteSettings,
        })
        .refine((s) => [s.jwks, s.jwksFile, s.introspection].filter((one) => one !== undefined).length === 1, 'needs exactly one of "jwks", "jwksFile" and "introspection"'),
      needs: { clock: CLOCK },
      about: { verifies: ['token'], holds: [], changes: false },
      async create(s, { clock }, site) {
        if (s.audience.length === 0) site.warn('no "audience" is set: a token that the provider made for any other service lets its owner in here')
        const common = { issuer: s.issuer, audience: s.audience, userClaim: s.userClaim, scope: s.scope, timeoutMs: s.timeout, parallel: s.parallel, fallthrough: s.fallthrough }
        return withCache(new Oauth2Backend(await check(), common, clock), { forMs: s.cacheFor, entries: s.cacheEntries }, clock)

        async function check(): Promise<TokenCheck> {
          if (s.introspection !== undefined) {
            const clientSecret = s.clientSecret === undefined ? undefined : await site.secret(s.clientSecret)
            const at = { url: s.introspection, clientId: s.clientId ?? '', clientSecret }
            return async (token, signal) => (await introspect(at, token, signal)) ?? 'invalid'
          }
          const now = (): number => clock.now()
          if (s.jwks !== undefined) return await jwtCheck({ url: s.jwks }, now, s.timeout)
          const file = await site.secret({ file: site.resolve(s.jwksFile ?? '') })
          return await jwtCheck({ json: Buffer.from(file.reveal()).toString('utf8') }, now, s.timeout)
        }
      },
    })
  },
})
