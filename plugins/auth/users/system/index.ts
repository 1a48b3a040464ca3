import { definePlugin, userDirectories } from 'mailwright/api'
import { z } from 'zod'
import { remoteSettings } from '../../shared/remote-settings.js'
import { nameService } from '../../shared/system-accounts.js'
import { SystemUsers } from './directory.js'

/** System accounts. */
export default definePlugin({
  id: 'users-system',
  api: '1.0',
  summary: 'System accounts, from the passwd file and whatever the name service knows',
  setup(p) {
    p.to(userDirectories).contribute({
      name: 'system',
      settings: z.strictObject({
        timeout: remoteSettings.timeout,
        minUid: z.int().min(0).default(1).describe('Accounts with smaller numbers are not found; the superuser may never log in.'),
      }),
      create: async (s) => new SystemUsers(await nameService(), { timeoutMs: s.timeout, minUid: s.minUid }),
    })
  },
})
