import { definePlugin, noSettings, workarounds } from 'mailwright/api'

const summary = 'IDLE is neither offered nor accepted'

/**
 * Client: early Outlook 2003, which idled for ever and reported a lost connection.
 * The original once had this as MICROSOFT_BRAIN_DAMAGE and withdrew it, since Entourage does not work without IDLE (FAQ 7.38): prefer `outlook-idle`.
 * Here the extension is gone, capability and command together.
 */
export default definePlugin({
  id: 'workaround-no-idle',
  api: '1.0',
  summary,
  setup(p) {
    p.to(workarounds).contribute({
      name: 'no-idle',
      settings: noSettings,
      create: () => ({ reason: summary, applies: () => true, without: ['idle'] }),
    })
  },
})
