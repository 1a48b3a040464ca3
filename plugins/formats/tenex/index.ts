import { definePlugin, mailboxFormats } from 'mailwright/api'
import { FixedFormat } from '../shared/fixed/format.js'
import { fixedContext, fixedNeeds, fixedSettings } from '../shared/fixed/plugin.js'
import { tenexDialect } from './dialect.js'

/** TENEX files, for those who have them. */
export default definePlugin({
  id: 'format-tenex',
  api: '1.0',
  summary: 'TENEX mailbox files of old, byte-compatible with c-client programs',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'tenex',
      about: { modseqs: false, keywords: 'fixed', uidsPersist: false, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: false },
      settings: fixedSettings,
      needs: fixedNeeds,
      create: (settings, needs) => new FixedFormat(tenexDialect, fixedContext(needs, settings)),
    })
  },
})
