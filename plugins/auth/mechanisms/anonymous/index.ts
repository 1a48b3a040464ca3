import { definePlugin, filePath, FILES, saslMechanisms } from 'mailwright/api'
import { z } from 'zod'
import { Anonymous } from './anonymous.js'

/** SASL ANONYMOUS. */
export default definePlugin({
  id: 'auth-anonymous',
  api: '1.0',
  summary: 'SASL ANONYMOUS (RFC 4505) and "LOGIN anonymous": readers of public mailboxes without an account',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'anonymous',
      settings: z.strictObject({
        enableFile: z.union([filePath(), z.literal(false)]).default('/etc/anonymous.newsgroups').describe('Anonymous users are let in while this file exists, whatever it holds; false: always.'),
        home: filePath().optional().describe('Home of anonymous users, in which nothing is written; without it the account "anonymous" of the user directories, if any.'),
      }),
      needs: { files: FILES },
      // Anonymous users read only, and a maildrop is for one who may change it: with POP nobody could come in by it.
      about: { name: 'ANONYMOUS', exposesPassword: false, verifiesBy: [], worksWith: [], offered: ({ service }) => service !== 'pop' },
      create: (s, { files }, site) => new Anonymous(files, s.enableFile === false ? undefined : site.resolve(s.enableFile), s.home === undefined ? undefined : site.resolve(s.home)),
    })
  },
})
