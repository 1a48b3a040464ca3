import { AUTH_SETTINGS, definePlugin, filePath, FILES, LOGGER, PASSWORD, passwordBackends } from 'mailwright/api'
import { z } from 'zod'
import { Md5Database } from './backend.js'
import { DatabaseWatch } from './watch.js'

/** The MD5 database of the UW servers. */
export default definePlugin({
  id: 'auth-md5-database',
  api: '1.0',
  summary: 'Passwords in clear for CRAM-MD5 and APOP, in the file of the UW servers; where it exists nothing else checks passwords',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'md5-database',
      settings: z.strictObject({
        path: filePath().default('/etc/cram-md5.pwd').describe('The file: lines of the form "user TAB password". While it does not exist this entry does nothing.'),
        requirePrivate: z.boolean().default(true).describe('Refuse a file that group or others can read.'),
        useForPlaintext: z.boolean().default(true).describe('While the file exists, check plaintext passwords against it and against nothing that follows.'),
      }),
      needs: { files: FILES, logger: LOGGER, auth: AUTH_SETTINGS },
      about: { verifies: ['password'], holds: [PASSWORD], changes: false },
      create: (s, { files, logger, auth }, site) => {
        const path = site.resolve(s.path)
        return new Md5Database(files, { ...s, path, clearAllowed: auth.plaintext === 'always' }, new DatabaseWatch(path, logger))
      },
    })
  },
})
