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
})

/** As the gate is given it. */
export function authSettings(s: z.output<typeof authSection>): AuthSettings {
  return { plaintext: s.plaintext, maxAttempts: s.maxAttempts, failureDelayMs: s.failureDelay }
}
