import { definePlugin, saslMechanisms } from 'mailwright/api'
import { z } from 'zod'
import { BearerMechanism, parseOauthBearer, parseXoauth2 } from './oauth.js'

const FORMS = [
  { name: 'OAUTHBEARER', parse: parseOauthBearer, failure: { status: 'invalid_token' } },
  { name: 'XOAUTH2', parse: parseXoauth2, failure: { status: '400', schemes: 'Bearer' } },
] as const

/** SASL with bearer tokens. */
export default definePlugin({
  id: 'auth-oauth',
  api: '1.0',
  summary: 'SASL OAUTHBEARER (RFC 7628) and XOAUTH2: a token of an identity provider; needs a backend that verifies tokens (oauth2, http)',
  setup(p) {
    for (const form of FORMS) {
      p.to(saslMechanisms).contribute({
        name: form.name.toLowerCase(),
        settings: z.strictObject({
          scope: z.string().optional().describe('Scope that a refused client is told to ask for.'),
          configuration: z.url().optional().describe("Address of the provider's openid-configuration, told to refused clients."),
        }),
        // A token is as good as a password to whoever listens.
        about: { name: form.name, exposesPassword: true, verifiesBy: ['token'], worksWith: [], offered: () => true },
        create: (s) =>
          new BearerMechanism(form.parse, {
            ...form.failure,
            ...(s.scope === undefined ? {} : { scope: s.scope }),
            ...(s.configuration === undefined ? {} : { 'openid-configuration': s.configuration }),
          }),
      })
    }
  },
})
