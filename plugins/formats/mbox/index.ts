import { definePlugin, mailboxFormats } from 'mailwright/api'
import { unixDialect } from '../shared/text/dialect.js'
import { TextFormat } from '../shared/text/format.js'
import { textContext, textNeeds, textSettings } from '../shared/text/plugin.js'
import { MboxFormat } from './format.js'

/** INBOX in `~/mbox`. */
export default definePlugin({
  id: 'format-mbox',
  api: '1.0',
  summary: "INBOX in ~/mbox, where that file is: new mail is moved there from the system's mailbox",
  setup(p) {
    p.to(mailboxFormats).contribute({
      name: 'mbox',
      about: { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: true },
      settings: textSettings,
      needs: textNeeds,
      create: (settings, needs) => new MboxFormat(new TextFormat(textContext(unixDialect, needs, settings)), needs.mailbox),
    })
  },
})
