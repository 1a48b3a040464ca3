import { definePlugin, PASSWORD, RANDOM, saslMechanisms } from 'mailwright/api'
import { z } from 'zod'
import { SCRAM_ITERATIONS } from '../../shared/scram-keys.js'
import { hasBinding, Scram, SCRAM_VARIANTS } from './scram.js'

/** SASL SCRAM in its four forms. */
export default definePlugin({
  id: 'auth-scram',
  api: '1.0',
  summary: 'SASL SCRAM (RFC 5802, RFC 7677): the password is neither sent nor kept; the -PLUS forms also prove that nobody stands in between',
  setup(p) {
    for (const variant of SCRAM_VARIANTS) {
      p.to(saslMechanisms).contribute({
        name: variant.name.toLowerCase(),
        settings: z.strictObject({
          iterations: z.int().min(4096).max(1_000_000).default(SCRAM_ITERATIONS).describe('Cost of keys that are computed from a password kept in clear, and told about users that do not exist.'),
        }),
        needs: { random: RANDOM },
        about: { name: variant.name, exposesPassword: false, verifiesBy: [], worksWith: [variant.kind, PASSWORD], offered: (peer) => !variant.plus || hasBinding(peer) },
        create: (s, { random }) => new Scram(variant, { random, iterations: s.iterations }),
      })
    }
  },
})
