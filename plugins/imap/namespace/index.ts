import { definePlugin, imapExtensions, noSettings, sealCommand } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'
import { namespace } from './namespace.js'

export default definePlugin({
  id: 'imap-namespace',
  api: '1.0',
  summary: 'NAMESPACE: where personal, other users\' and shared mailboxes are (RFC 2342)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'namespace',
      settings: noSettings,
      about: afterLogin(['NAMESPACE']),
      create: () => ({ commands: [sealCommand(namespace)] }),
    })
  },
})
