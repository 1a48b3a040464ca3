import { definePlugin, imapExtensions, noSettings, sealCommand } from 'mailwright/api'
import type { ImapCommand } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'

/** Leaves the mailbox without removing anything (RFC 3691 §2). */
const unselect: ImapCommand<undefined, 'selected'> = {
  name: 'UNSELECT',
  states: ['selected'],
  uidForm: 'no',
  mayReportExpunge: false,
  parse(input) {
    input.end()
    return undefined
  },
  async run(_request, session) {
    await session.select(undefined)
    return { kind: 'ok' }
  },
}

export default definePlugin({
  id: 'imap-unselect',
  api: '1.0',
  summary: 'UNSELECT: close a mailbox without expunging it (RFC 3691)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'unselect',
      settings: noSettings,
      about: afterLogin(['UNSELECT']),
      create: () => ({ commands: [sealCommand(unselect)] }),
    })
  },
})
