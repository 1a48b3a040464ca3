import { chosen, CLOCK, definePlugin, filePath, HOST, LOGGER, passwordBackends, userDirectories } from 'mailwright/api'
import { z } from 'zod'
import { kerberosEnvironment } from '../../shared/kerberos.js'
import { remoteSettings } from '../../shared/remote-settings.js'
import { withToken } from '../../shared/token/hook.js'
import { TOKEN_OR_CACHE, tokenHook, tokenOrCache, tokenSettings } from '../../shared/token/settings.js'
import { withCache } from '../../shared/verdict-cache.js'
import { GssBackend } from './backend.js'

/** Passwords of a Kerberos realm. */
export default definePlugin({
  id: 'passwords-gss',
  api: '1.0',
  summary: 'Passwords checked by the KDC of a Kerberos realm; they come to this server in clear',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'gss',
      settings: z
        .strictObject({
          realm: z.string().min(1).optional().describe('Realm of the users; without it the default one of Kerberos.'),
          hostname: z.string().min(1).optional().describe('Host in the name of the service (imap/HOST, pop/HOST) whose key proves that the KDC is the right one; without it the name of the virtual host.'),
          keytab: filePath().optional().describe('Keys of the services; without it KRB5_KTNAME, or the default of Kerberos (/etc/krb5.keytab).'),
          configuration: filePath().optional().describe('Configuration of Kerberos; without it KRB5_CONFIG, or /etc/krb5.conf.'),
          serviceInPrincipal: z.boolean().default(false).describe('Principals are NAME/imap and NAME/pop instead of NAME.'),
          token: tokenSettings,
          ...remoteSettings,
          parallel: z.int().min(1).max(64).default(8).describe('Checks at the same time, each in a process of its own; the others wait.'),
        })
        .refine(tokenOrCache, TOKEN_OR_CACHE),
      needs: { clock: CLOCK, logger: LOGGER, host: HOST, directories: chosen(userDirectories) },
      about: { verifies: ['password'], holds: [], changes: false },
      async create(s, { clock, logger, host, directories }, site) {
        // Loaded by the children only; here it is asked for, so that a missing package is told at the start.
        await import('koffi')
        const env = kerberosEnvironment({ keytab: s.keytab === undefined ? undefined : site.resolve(s.keytab), configuration: s.configuration === undefined ? undefined : site.resolve(s.configuration) }, process.env)
        const settings = { realm: s.realm, hostname: s.hostname ?? host.serverName, serviceInPrincipal: s.serviceInPrincipal, timeoutMs: s.timeout, parallel: s.parallel, fallthrough: s.fallthrough }
        return withCache(withToken(new GssBackend(settings, { logger, clock, env }), tokenHook(s.token, { directories, logger }, site)), { forMs: s.cacheFor, entries: s.cacheEntries }, clock)
      },
    })
  },
})
