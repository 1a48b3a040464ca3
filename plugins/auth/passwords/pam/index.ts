import { chosen, CLOCK, definePlugin, filePath, LOGGER, passwordBackends, userDirectories } from 'mailwright/api'
import { z } from 'zod'
import { remoteSettings } from '../../shared/remote-settings.js'
import { withToken } from '../../shared/token/hook.js'
import { TOKEN_OR_CACHE, tokenHook, tokenOrCache, tokenSettings } from '../../shared/token/settings.js'
import { withCache } from '../../shared/verdict-cache.js'
import { PamBackend } from './backend.js'

/** Passwords of the machine's PAM. */
export default definePlugin({
  id: 'passwords-pam',
  api: '1.0',
  summary: 'Passwords checked by PAM, the pluggable authentication modules of the system',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'pam',
      settings: z
        .strictObject({
          service: z.string().regex(/^[\w.-]+$/, 'a service is the name of a file').optional().describe('PAM service; without it "imap" for IMAP, "pop" for POP3 and POP2.'),
          folder: filePath().optional().describe('Folder of service files instead of /etc/pam.d.'),
          credentials: z.boolean().default(true).describe('Establish credentials (pam_setcred) at a login and delete them at its end.'),
          token: tokenSettings,
          ...remoteSettings,
          parallel: z.int().min(1).max(64).default(8).describe('Checks at the same time, each in a process of its own; the others wait.'),
        })
        .refine((s) => !s.credentials || s.cacheFor === 0, { path: ['cacheFor'], message: 'a remembered password establishes no credentials: set credentials to false' })
        .refine(tokenOrCache, TOKEN_OR_CACHE),
      needs: { clock: CLOCK, logger: LOGGER, directories: chosen(userDirectories) },
      about: { verifies: ['password'], holds: [], changes: false },
      async create(s, { clock, logger, directories }, site) {
        // Loaded by the children only; here it is asked for, so that a missing package is told at the start.
        await import('koffi')
        const folder = s.folder === undefined ? undefined : site.resolve(s.folder)
        const backend = new PamBackend({ service: s.service, folder, credentials: s.credentials, timeoutMs: s.timeout, parallel: s.parallel, fallthrough: s.fallthrough }, { logger, clock })
        return withCache(withToken(backend, tokenHook(s.token, { directories, logger }, site)), { forMs: s.cacheFor, entries: s.cacheEntries }, clock)
      },
    })
  },
})
