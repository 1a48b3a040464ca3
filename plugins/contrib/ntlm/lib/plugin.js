// @ts-check
import { definePlugin, filePath, FILES, noSettings, PASSWORD, passwordBackends, RANDOM, saslMechanisms } from 'mailwright/api'
import { z } from 'zod'
import { createHashFile } from './hash-file.js'
import { createNtlm, NT_HASH } from './ntlm.js'

/** NTLM, and a file of the hashes that it can do with. */
export default definePlugin({
  id: 'contrib-ntlm',
  api: '1.0',
  summary: 'SASL NTLM (version 2), and a file of NT hashes',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'ntlm',
      settings: noSettings,
      needs: { random: RANDOM },
      about: { name: 'NTLM', exposesPassword: false, verifiesBy: [], worksWith: [NT_HASH, PASSWORD], offered: () => true },
      create: (_settings, { random }) => createNtlm(random),
    })
    p.to(passwordBackends).contribute({
      name: 'nt-hash-file',
      settings: z.strictObject({ path: filePath().default('nt-hashes').describe('The file: lines of the form "name:NT hash in hexadecimal".') }),
      needs: { files: FILES },
      about: { verifies: [], holds: [NT_HASH], changes: false },
      create: (settings, { files }, site) => createHashFile(site.resolve(settings.path), files),
    })
  },
})
