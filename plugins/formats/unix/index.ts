import { definePlugin, mailboxFormats } from 'mailwright/api'
import { unixDialect } from '../shared/text/dialect.js'
import { TextFormat } from '../shared/text/format.js'
import { textContext, textNeeds, textSettings } from '../shared/text/plugin.js'

/** Traditional UNIX mailboxes (mbox). */
export default definePlugin({
  id: 'format-unix',
  api: '1.0',
  summary: 'Traditional UNIX mailbox files, byte-compatible with c-client programs',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'unix',
      about: { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: true },
      settings: textSettings,
      needs: textNeeds,
      create: (settings, needs) => new TextFormat(textContext(unixDialect, needs, settings)),
    })
  },
})
