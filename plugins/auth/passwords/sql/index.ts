import { chosen, CLOCK, definePlugin, FILES, LOGGER, PASSWORD, passwordBackends, passwordSchemes, SCRAM_SHA_1, SCRAM_SHA_256 } from 'mailwright/api'
import { z } from 'zod'
import { FURTHER_FORMS } from '../../shared/forms.js'
import { Hashing } from '../../shared/hashing.js'
import { remoteSettings } from '../../shared/remote-settings.js'
import { databaseSettings, engineOf, queryText } from '../../shared/sql/settings.js'
import { withCache } from '../../shared/verdict-cache.js'
import { SqlBackend } from './backend.js'

/** Passwords in a database. */
export default definePlugin({
  id: 'passwords-sql',
  api: '1.0',
  summary: 'Passwords in a database: SQLite, PostgreSQL or MySQL',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'sql',
      settings: z.strictObject({
        ...databaseSettings,
        passwordQuery: queryText().default('SELECT name, password FROM users WHERE name = {user}').describe('Gives at most one row: "password" (stored forms, as in a password file), perhaps "name" (as it is to be spelt) and "enabled". Words in braces are values: {user}, {local}, {domain}, {service}, {address}, {localAddress}.'),
        updateQuery: queryText('password').optional().describe('Stores a new {password} of a {user}; without it hashes are not renewed.'),
        keep: z.array(z.enum(FURTHER_FORMS)).default([]).describe('Further forms in which new passwords are kept.'),
        offers: z.array(z.enum(FURTHER_FORMS)).default([]).describe('Forms that the database has besides hashes: what SCRAM, or CRAM-MD5 and its like, can be offered for.'),
        ...remoteSettings,
      }),
      needs: { files: FILES, logger: LOGGER, clock: CLOCK, schemes: chosen(passwordSchemes) },
      about: { verifies: ['password'], holds: [SCRAM_SHA_1, SCRAM_SHA_256, PASSWORD], changes: true },
      async create(s, needs, site) {
        const engine = await engineOf(s, { timeoutMs: s.timeout, connections: s.parallel }, needs, site)
        return withCache(new SqlBackend(engine, new Hashing(needs.schemes, 2), needs.logger, { ...s, updateQuery: s.updateQuery, timeoutMs: s.timeout }), { forMs: s.cacheFor, entries: s.cacheEntries }, needs.clock)
      },
    })
  },
})
