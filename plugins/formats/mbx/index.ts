import { definePlugin, mailboxFormats } from 'mailwright/api'
import { FixedFormat } from '../shared/fixed/format.js'
import { fixedContext, fixedNeeds, fixedSettings } from '../shared/fixed/plugin.js'
import { mbxDialect } from './dialect.js'

/** MBX files: many readers and writers at once. */
export default definePlugin({
  id: 'format-mbx',
  api: '1.0',
  summary: 'MBX mailbox files, shared for reading and writing, byte-compatible with c-client programs',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'mbx',
      about: { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: true },
      settings: fixedSettings,
      needs: fixedNeeds,
      create: (settings, needs) => new FixedFormat(mbxDialect, fixedContext(needs, settings)),
    })
  },
})
