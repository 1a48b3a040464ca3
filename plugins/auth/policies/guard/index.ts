import { CLOCK, definePlugin, duration, LOGGER, loginPolicies } from 'mailwright/api'
import { z } from 'zod'
import { network } from '../../shared/networks.js'
import { Guard } from './guard.js'

const rule = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/, 'expected lower-case letters, digits and hyphens').describe('Name in the log and in "mailwright blocks".'),
  by: z.enum(['user', 'address', 'network']).describe('What is counted.'),
  failures: z.int().min(1).max(10_000).describe('So many failed logins,'),
  within: duration().describe('within this time,'),
  effect: z.enum(['delay', 'refuse']).describe('make further ones wait, or fail unasked,'),
  for: duration().describe('for this long.'),
  delay: duration().prefault('5s').describe('How long each one waits.'),
})
/** Users are only made to wait: whoever knows a name could lock its owner out. */
const RULES: z.input<typeof rule>[] = [
  { name: 'address-slow', by: 'address', failures: 5, within: '10m', effect: 'delay', for: '10m' },
  { name: 'address-block', by: 'address', failures: 30, within: '1h', effect: 'refuse', for: '1h' },
  { name: 'network-block', by: 'network', failures: 300, within: '1h', effect: 'refuse', for: '1h' },
  { name: 'user-slow', by: 'user', failures: 20, within: '1h', effect: 'delay', for: '1h' },
]

/** Whoever guesses passwords waits, then is kept out. */
export default definePlugin({
  id: 'policy-guard',
  api: '1.0',
  summary: 'Counts failed logins by user, address and network; delays and refuses further ones for a while',
  setup(p) {
    p.to(loginPolicies).contribute({
      name: 'guard',
      settings: z.strictObject({
        rules: z.array(rule).min(1).prefault(RULES).refine((all) => new Set(all.map((r) => r.name)).size === all.length, 'two rules have one name').describe('What is counted, and what it leads to.'),
        allow: z.array(network()).default([]).describe('Addresses and networks that are never counted.'),
        allowUsers: z.array(z.string().min(1)).default([]).describe('Users who are never counted.'),
        dryRun: z.boolean().default(false).describe('Only write to the log what would be done.'),
        ipv4Bits: z.int().min(8).max(32).default(24).describe('Size of a network of IPv4.'),
        ipv6Bits: z.int().min(16).max(64).default(48).describe('Size of a network of IPv6; a single address counts as its /64.'),
        entries: z.int().min(100).max(10_000_000).default(100_000).describe('How many users, addresses and networks are remembered.'),
      }),
      needs: { clock: CLOCK, logger: LOGGER },
      create: (s, { clock, logger }) => new Guard({ ...s, rules: s.rules.map((r) => ({ name: r.name, by: r.by, failures: r.failures, withinMs: r.within, effect: r.effect, forMs: r.for, delayMs: r.delay })) }, clock, logger),
    })
  },
})
