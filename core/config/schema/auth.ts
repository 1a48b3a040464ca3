import { z } from 'zod'
import type { AuthSettings } from '../../api/host.js'
import { duration } from '../../api/settings.js'

/** `hosts.*.auth`, less the slots. */
export const authSection = z.strictObject({
  plaintext: z
    .enum(['encrypted-only', 'always', 'never'])
    .default('encrypted-only')
    .describe('When a password may be sent in clear: only inside TLS, always, or never.'),
  maxAttempts: z.int().min(1).default(3).describe('Failed logins before the connection is closed.'),
  failureDelay: duration().prefault('3s').describe('Every failed login is answered after this time, whatever its reason.'),
  names: z
    .strictObject({
      lowerCase: z.boolean().default(false).describe('Take capitals in login names for small letters.'),
      stripDomains: z.array(z.string().min(1)).default([]).describe('Domains that are left out of login names; "*": any.'),
      addDomain: z.string().min(1).optional().describe('Domain that is added to login names without one.'),
      aliases: z.record(z.string().min(1), z.string().min(1)).default({}).describe('Accounts by other login names of theirs.'),
    })
    .prefault({})
    .describe('What account a login name means.'),
})

/** As the gate is given it. */
export function authSettings(s: z.output<typeof authSection>): AuthSettings {
  const { lowerCase, stripDomains, addDomain, aliases } = s.names
  const names = { lowerCase, stripDomains: stripDomains.map((domain) => domain.toLowerCase()), addDomain, aliases }
  return { names, plaintext: s.plaintext, maxAttempts: s.maxAttempts, failureDelayMs: s.failureDelay }
}
