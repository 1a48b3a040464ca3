import { definePlugin, noSettings, workarounds } from 'mailwright/api'
import { forEverybody } from '../shared/everybody.js'

/**
 * Client: clients that number messages themselves and send commands ahead, such as Pine 3 and NSNotify.
 * The client has sent further commands with sequence numbers when it is told of an EXPUNGE, and acts on the wrong message.
 * Here removals are not told while more of the client's commands wait to be answered, not even where RFC 3501 §7.4.1 allows it.
 */
export default definePlugin({
  id: 'workaround-hold-expunge',
  api: '1.0',
  summary: 'Removals are told only to a client that has sent no further command',
  setup(p) {
    p.to(workarounds).contribute({
      name: 'hold-expunge',
      settings: noSettings,
      create: () => forEverybody('Removals are told only to a client that has sent no further command', { holdExpunge: 'never-while-busy' }),
    })
  },
})
