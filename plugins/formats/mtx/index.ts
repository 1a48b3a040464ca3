import { definePlugin, mailboxFormats } from 'mailwright/api'
import { FixedFormat } from '../shared/fixed/format.js'
import { fixedContext, fixedNeeds, fixedSettings } from '../shared/fixed/plugin.js'
import { mtxDialect } from './dialect.js'

/** MTX files, for those who have them. */
export default definePlugin({
  id: 'format-mtx',
  api: '1.0',
  summary: 'MTX mailbox files of old, byte-compatible with c-client programs',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'mtx',
      about: { modseqs: false, keywords: 'fixed', uidsPersist: false, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: false },
      settings: fixedSettings,
      needs: fixedNeeds,
      create: (settings, needs) => new FixedFormat(mtxDialect, fixedContext(needs, settings)),
    })
  },
})
