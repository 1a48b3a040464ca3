import { CLOCK, COMPAT_SETTINGS, definePlugin, IMAP_SETTINGS, imapExtensions, noSettings, sealCommand } from 'mailwright/api'
import type { Clock, CompatSettings, ImapCommand, ImapSettings, SealedCommand } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'
import { Idling } from './idling.js'

/** The goodbye to whoever idles for too long, by dialect. */
const GOODBYE = { faq: 'Autologout; idle for too long', late: 'Autologout (idle for too long)' } as const satisfies Record<CompatSettings['dialect'], string>

/** The command for a host's clock, timers and words. */
function idleCommand(clock: Clock, timeouts: ImapSettings['timeouts'], dialect: CompatSettings['dialect']): SealedCommand {
  const command: ImapCommand<undefined, 'authenticated' | 'selected'> = {
    name: 'IDLE',
    states: ['authenticated', 'selected'],
    uidForm: 'no',
    mayReportExpunge: true,
    parse(input) {
      input.end()
      return undefined
    },
    run: (_request, session) => new Idling(session, clock, timeouts, GOODBYE[dialect]).run(),
  }
  return sealCommand(command)
}

/** News of the selected mailbox without asking. What the timers do for certain clients is in the tweaks `idleNudgeMs` and `idlePhantomAfterMs`. */
export default definePlugin({
  id: 'imap-idle',
  api: '1.0',
  summary: 'IDLE: news of the mailbox as they happen (RFC 2177)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'idle',
      settings: noSettings,
      needs: { clock: CLOCK, settings: IMAP_SETTINGS, compat: COMPAT_SETTINGS },
      about: afterLogin(['IDLE']),
      create: (_settings, { clock, settings, compat }) => ({ commands: [idleCommand(clock, settings.timeouts, compat.dialect)] }),
    })
  },
})
