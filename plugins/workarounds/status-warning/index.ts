import { definePlugin, noSettings, workarounds } from 'mailwright/api'
import { forEverybody } from '../shared/everybody.js'

/**
 * Client: clients that take STATUS items of extensions for granted.
 * A STATUS item that the server does not know makes the whole command BAD by grammar, and the client shows no figures at all.
 * Here such an item is passed over with `* NO Unknown status flag X`, and the rest is answered.
 */
export default definePlugin({
  id: 'workaround-status-warning',
  api: '1.0',
  summary: 'Unknown STATUS items are passed over with a warning',
  setup(p) {
    p.to(workarounds).contribute({
      name: 'status-warning',
      settings: noSettings,
      create: () => forEverybody('Unknown STATUS items are passed over with a warning', { warnUnknownStatusItem: true }),
    })
  },
})
