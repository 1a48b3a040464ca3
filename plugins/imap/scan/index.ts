import { definePlugin, imapExtensions, noSettings, sealCommand } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'
import { scan } from './scan.js'

export default definePlugin({
  id: 'imap-scan',
  api: '1.0',
  summary: 'SCAN: LIST of the mailboxes that hold a text',
  setup(p) {
    p.to(imapExtensions).contribute({ name: 'scan', settings: noSettings, about: afterLogin(['SCAN']), create: () => ({ commands: [sealCommand(scan)] }) })
  },
})
