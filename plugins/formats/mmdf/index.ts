import { definePlugin, mailboxFormats } from 'mailwright/api'
import { TextFormat } from '../shared/text/format.js'
import { textContext, textNeeds, textSettings } from '../shared/text/plugin.js'
import { mmdfDialect } from './dialect.js'

/** Mailboxes of MMDF, the mail system of SCO UNIX: as those of UNIX, with lines of their own between the messages. */
export default definePlugin({
  id: 'format-mmdf',
  api: '1.0',
  summary: 'MMDF mailbox files, byte-compatible with c-client programs',
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'mmdf',
      about: { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: true },
      settings: textSettings,
      needs: textNeeds,
      create: (settings, needs) => new TextFormat(textContext(mmdfDialect, needs, settings)),
    })
  },
})
