import { definePlugin, noSettings, workarounds } from 'mailwright/api'
import { forEverybody } from '../shared/everybody.js'

/**
 * Client: clients that subscribe every name that LIST shows, directories included.
 * A directory that is no mailbox stands in the list of subscriptions, and opening it fails later, far from the cause.
 * Here the client is told at once: `* NO CLIENT BUG DETECTED: subscribe of non-mailbox directory`.
 */
export default definePlugin({
  id: 'workaround-subscribe-warning',
  api: '1.0',
  summary: 'SUBSCRIBE of a directory is answered with a warning',
  setup(p) {
    p.to(workarounds).contribute({
      name: 'subscribe-warning',
      settings: noSettings,
      create: () => forEverybody('SUBSCRIBE of a directory is answered with a warning', { warnSubscribeDirectory: true }),
    })
  },
})
