import { CLOCK, definePlugin, LOGGER, loginPolicies } from 'mailwright/api'
import { z } from 'zod'
import { network } from '../../shared/networks.js'
import { SessionLimits } from './limits.js'

const bound = (what: string, fallback = 0): z.ZodDefault<z.ZodInt> => z.int().min(0).max(1_000_000).default(fallback).describe(`${what}; 0: no limit.`)

/** Not too many sessions. */
export default definePlugin({
  id: 'policy-session-limits',
  api: '1.0',
  summary: 'Limits sessions per user and per address, and logins per user and hour',
  setup(p) {
    p.to(loginPolicies).contribute({
      name: 'session-limits',
      settings: z.strictObject({
        perUser: bound('Sessions of one user at the same time', 50),
        perAddress: bound('Sessions from one address at the same time'),
        loginsPerHour: bound('Logins of one user within an hour'),
        allow: z.array(network()).default([]).describe('Addresses and networks without limits.'),
      }),
      needs: { clock: CLOCK, logger: LOGGER },
      create: (s, { clock, logger }) => new SessionLimits(s, clock, logger),
    })
  },
})
