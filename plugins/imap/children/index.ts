import { definePlugin, imapExtensions, noSettings } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'

/** LIST tells `\HasChildren` and `\HasNoChildren` where this extension is on (RFC 3348); core knows them from the stores' directories. */
export default definePlugin({
  id: 'imap-children',
  api: '1.0',
  summary: 'CHILDREN: LIST tells whether a mailbox has inferiors (RFC 3348)',
  setup(p) {
    p.to(imapExtensions).contribute({ name: 'children', settings: noSettings, about: afterLogin(['CHILDREN']), create: () => ({}) })
  },
})
