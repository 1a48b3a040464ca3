import { chosen, CLOCK, definePlugin, filePath, FILES, LOGGER, PASSWORD, passwordBackends, passwordSchemes, SCRAM_SHA_1, SCRAM_SHA_256 } from 'mailwright/api'
import { z } from 'zod'
import { FileBackend } from './file-backend.js'
import { FURTHER_FORMS } from '../../shared/forms.js'
import { Hashing } from '../../shared/hashing.js'
import { PasswordFile } from '../../shared/password-file.js'

/** A text file of users and hashes. */
export default definePlugin({
  id: 'auth-file',
  api: '1.0',
  summary: 'Passwords in a text file, one user per line with a hash',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'file',
      settings: z.strictObject({
        path: filePath().default('users').describe('The file: lines of the form "name:hash".'),
        fallthrough: z.boolean().default(false).describe('Ask the next backend also after a wrong password.'),
        rehash: z.boolean().default(false).describe('Replace weak or outdated hashes in the file when their owner logs in, and add the forms that "keep" asks for.'),
        keep: z.array(z.enum(FURTHER_FORMS)).default([]).describe('Further forms in which new passwords are kept: keys for SCRAM, or the password itself for CRAM-MD5, APOP and DIGEST-MD5.'),
        parallel: z.int().min(1).max(64).default(2).describe('Hashes that are computed at the same time.'),
      }),
      needs: { files: FILES, clock: CLOCK, logger: LOGGER, schemes: chosen(passwordSchemes) },
      about: { verifies: ['password'], holds: [SCRAM_SHA_1, SCRAM_SHA_256, PASSWORD], changes: true },
      create(s, { files, clock, logger, schemes }, site) {
        if (s.keep.includes('clear')) site.warn('passwords are kept in clear, for CRAM-MD5, APOP and DIGEST-MD5: whoever reads the file has them all')
        return new FileBackend(new PasswordFile(site.resolve(s.path), files, clock, logger), new Hashing(schemes, s.parallel), logger, s)
      },
    })
  },
})
