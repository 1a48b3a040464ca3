import { chosen, CLOCK, definePlugin, filePath, FILES, LOGGER, passwordBackends, passwordSchemes } from 'mailwright/api'
import { z } from 'zod'
import { FileBackend } from './file-backend.js'
import { Hashing } from '../../shared/hashing.js'
import { PasswordFile } from './password-file.js'

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
        rehash: z.boolean().default(false).describe('Replace weak or outdated hashes in the file when their owner logs in.'),
        parallel: z.int().min(1).max(64).default(2).describe('Hashes that are computed at the same time.'),
      }),
      needs: { files: FILES, clock: CLOCK, logger: LOGGER, schemes: chosen(passwordSchemes) },
      about: { verifies: ['password'], holds: [], changes: true },
      create(s, { files, clock, logger, schemes }, site) {
        return new FileBackend(new PasswordFile(site.resolve(s.path), files, clock, logger), new Hashing(schemes, s.parallel), logger, s)
      },
    })
  },
})
