import { definePlugin, filePath, FILES, userDirectories } from 'mailwright/api'
import { z } from 'zod'
import { PasswdFile } from './passwd-file.js'

/** Accounts in a text file. */
export default definePlugin({
  id: 'users-file',
  api: '1.0',
  summary: 'Accounts in a text file of the form of /etc/passwd',
  setup(p) {
    p.to(userDirectories).contribute({
      name: 'file',
      settings: z.strictObject({ path: filePath().default('passwd').describe('The file: lines of the form "name:x:uid:gid:gecos:home:shell"; the password field says nothing here.') }),
      needs: { files: FILES },
      create: (s, { files }, site) => new PasswdFile(site.resolve(s.path), files),
    })
  },
})
