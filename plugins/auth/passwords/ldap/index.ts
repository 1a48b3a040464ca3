import { CLOCK, definePlugin, passwordBackends } from 'mailwright/api'
import { z } from 'zod'
import { ldapDirectory, ldapSettings } from '../../shared/ldap/settings.js'
import { remoteSettings } from '../../shared/remote-settings.js'
import { withCache } from '../../shared/verdict-cache.js'
import { LdapBackend } from './backend.js'

/** Passwords checked by a directory. */
export default definePlugin({
  id: 'passwords-ldap',
  api: '1.0',
  summary: 'Passwords checked by an LDAP directory: users are searched, then log in there',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'ldap',
      settings: z.strictObject({
        ...ldapSettings,
        userDn: z.string().refine((text) => /\{(?:user|local)\}/.test(text), 'must hold {user} or {local}').optional().describe('Name of a user in the directory, such as "uid={user},ou=people,dc=example,dc=org": tried without a search.'),
        nameAttribute: z.string().min(1).default('uid').describe('Attribute with the login name as it is to be spelt; directories do not tell "Alice" from "alice".'),
        ...remoteSettings,
      }),
      needs: { clock: CLOCK },
      about: { verifies: ['password'], holds: [], changes: false },
      async create(s, { clock }, site) {
        const directory = await ldapDirectory(s, s.timeout, site)
        return withCache(new LdapBackend(directory, { userDn: s.userDn, nameAttribute: s.nameAttribute, timeoutMs: s.timeout, parallel: s.parallel, fallthrough: s.fallthrough }), { forMs: s.cacheFor, entries: s.cacheEntries }, clock)
      },
    })
  },
})
