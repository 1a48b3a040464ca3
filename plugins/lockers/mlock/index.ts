import { CLOCK, LOCK_SETTINGS, LOGGER, definePlugin, filePath, lockers } from 'mailwright/api'
import { z } from 'zod'
import { MlockLocker } from './mlock.js'

/** Where the UW toolkit looks for it, and where Debian's package `mlock` has it. */
const PLACES = ['/usr/libexec/mlock', '/usr/sbin/mlock', '/etc/mlock', '/usr/bin/mlock'] as const

/** Lock files in folders that take none from the user (FAQ 7.10). */
export default definePlugin({
  id: 'lockers-mlock',
  api: '1.0',
  summary: 'Lock files made by the set-group-id program of the UW toolkit, where the folder takes none from the user',
  setup(p) {
    p.to(lockers).contribute({
      name: 'mlock',
      settings: z.strictObject({
        programs: z
          .array(filePath())
          .min(1)
          .default([...PLACES])
          .describe('The lock program, run as "PROGRAM 3 MAILBOX"; the first of these that is there. It must be set-group-id to the group that may write to the folder.'),
      }),
      needs: { clock: CLOCK, locks: LOCK_SETTINGS, logger: LOGGER },
      create: ({ programs }, { clock, locks, logger }, site) =>
        new MlockLocker({ programs: programs.map((path) => site.resolve(path)), timeoutMs: locks.dotlockTimeoutMs, clock, logger }),
    })
  },
})
