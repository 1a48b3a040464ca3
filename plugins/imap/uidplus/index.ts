import { definePlugin, imapExtensions, noSettings, sealCommand } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'
import { uidExpunge } from './uid-expunge.js'

/** UID EXPUNGE. The codes APPENDUID and COPYUID are core's: APPEND and COPY give them where this extension is on and UIDs persist. */
export default definePlugin({
  id: 'imap-uidplus',
  api: '1.0',
  summary: 'UIDPLUS: UID EXPUNGE, and the new UIDs of appended and copied messages (RFC 4315)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'uidplus',
      settings: noSettings,
      about: afterLogin(['UIDPLUS']),
      create: () => ({ commands: [sealCommand(uidExpunge)] }),
    })
  },
})
