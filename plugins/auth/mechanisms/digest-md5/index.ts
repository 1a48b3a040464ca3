import { definePlugin, PASSWORD, RANDOM, saslMechanisms } from 'mailwright/api'
import { z } from 'zod'
import { DigestMd5 } from './digest-md5.js'

/** SASL DIGEST-MD5. */
export default definePlugin({
  id: 'auth-digest-md5',
  api: '1.0',
  summary: 'SASL DIGEST-MD5 (RFC 2831), for old clients: the password is not sent, but has to be kept in clear',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'digest-md5',
      settings: z.strictObject({ realm: z.string().min(1).max(255).optional().describe('The realm; without it the name of the host.') }),
      needs: { random: RANDOM },
      about: { name: 'DIGEST-MD5', exposesPassword: false, verifiesBy: [], worksWith: [PASSWORD], offered: () => true },
      create: (s, { random }) => new DigestMd5(random, s.realm),
    })
  },
})
