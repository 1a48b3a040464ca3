import { CLOCK, definePlugin, filePath, passwordBackends } from 'mailwright/api'
import { z } from 'zod'
import { remoteSettings } from '../../shared/remote-settings.js'
import { withCache } from '../../shared/verdict-cache.js'
import { CommandBackend } from './backend.js'

/** A program that checks passwords. */
export default definePlugin({
  id: 'passwords-command',
  api: '1.0',
  summary: 'Passwords checked by a program with the checkpassword interface',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'command',
      settings: z.strictObject({
        program: filePath().describe('The program; it reads "name NUL password NUL time NUL" from descriptor 3, and ends with 1 (wrong password), 3 (unknown user), or runs the rest of its arguments.'),
        arguments: z.array(z.string()).default([]).describe('Arguments before those that it runs in the end.'),
        ...remoteSettings,
      }),
      needs: { clock: CLOCK },
      about: { verifies: ['password'], holds: [], changes: false },
      create: (s, { clock }, site) =>
        withCache(new CommandBackend({ program: [site.resolve(s.program), ...s.arguments], timeoutMs: s.timeout, parallel: s.parallel, fallthrough: s.fallthrough }), { forMs: s.cacheFor, entries: s.cacheEntries }, clock),
    })
  },
})
