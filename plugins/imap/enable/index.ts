import { definePlugin, imapExtensions, noSettings, sealCommand } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'
import { enable } from './enable.js'

export default definePlugin({
  id: 'imap-enable',
  api: '1.0',
  summary: 'ENABLE: extensions that change unasked data are switched on (RFC 5161)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'enable',
      settings: noSettings,
      about: afterLogin(['ENABLE']),
      create: () => ({ commands: [sealCommand(enable)] }),
    })
  },
})
