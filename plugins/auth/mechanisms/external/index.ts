import { definePlugin, saslMechanisms } from 'mailwright/api'
import { z } from 'zod'
import { External } from './external.js'

/** SASL EXTERNAL. */
export default definePlugin({
  id: 'auth-external',
  api: '1.0',
  summary: 'SASL EXTERNAL (RFC 4422): a TLS client certificate, or an identity that the operating system knows',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'external',
      settings: z.strictObject({
        names: z.array(z.enum(['email', 'common-name', 'dns'])).min(1).default(['email', 'common-name']).describe('Where in a client certificate the login name stands, in this order.'),
        stripDomain: z.boolean().default(false).describe('Leave out the domain of such a name.'),
      }),
      about: { name: 'EXTERNAL', exposesPassword: false, verifiesBy: [], worksWith: [], offered: (peer) => peer.tls?.clientCertificate !== undefined || peer.externalIdentity !== undefined },
      create: (s) => new External(s.names, s.stripDomain),
    })
  },
})
