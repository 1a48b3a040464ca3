import { chosen, CLOCK, definePlugin, LOGGER, passwordBackends, passwordSchemes } from 'mailwright/api'
import { z } from 'zod'
import { Hashing } from '../../shared/hashing.js'
import { remoteSettings } from '../../shared/remote-settings.js'
import { nameService } from '../../shared/system-accounts.js'
import { SystemBackend } from './backend.js'

/** Passwords of system accounts. */
export default definePlugin({
  id: 'passwords-system',
  api: '1.0',
  summary: 'Passwords of system accounts, from the shadow file and whatever the name service knows',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'system',
      settings: z.strictObject({ timeout: remoteSettings.timeout, fallthrough: remoteSettings.fallthrough, parallel: z.int().min(1).max(64).default(2).describe('Hashes that are computed at the same time.') }),
      needs: { clock: CLOCK, logger: LOGGER, schemes: chosen(passwordSchemes) },
      about: { verifies: ['password'], holds: [], changes: false },
      create: async (s, { clock, logger, schemes }) => new SystemBackend({ names: await nameService(), hashing: new Hashing(schemes, s.parallel), clock, logger }, { timeoutMs: s.timeout, fallthrough: s.fallthrough }),
    })
  },
})
