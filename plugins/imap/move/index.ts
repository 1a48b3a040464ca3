import { definePlugin, imapExtensions, noSettings, sealCommand } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'
import { move } from './move.js'

export default definePlugin({
  id: 'imap-move',
  api: '1.0',
  summary: 'MOVE: messages change their mailbox in one step (RFC 6851)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'move',
      settings: noSettings,
      about: afterLogin(['MOVE']),
      create: () => ({ commands: [sealCommand(move)] }),
    })
  },
})
