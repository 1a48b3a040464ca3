import { definePlugin, duration, workarounds } from 'mailwright/api'
import { z } from 'zod'
import { forEverybody } from '../shared/everybody.js'

const summary = 'A line every two minutes keeps the connections of idling clients open'

/**
 * Client: clients behind address translation that forgets quiet connections, in home routers and mobile networks.
 * The connection of an idling client is dropped by a box between, without a word to either side: no mail is announced until the client tries to write (FAQ 7.37).
 * Here the server says `* OK Timeout in n minutes` from time to time, which clients pass over.
 */
export default definePlugin({
  id: 'workaround-idle-keepalive',
  api: '1.0',
  summary,
  setup(p) {
    p.to(workarounds).contribute({
      name: 'idle-keepalive',
      settings: z.strictObject({
        every: duration().prefault('2m').describe('Time between two such lines; the first comes after half of it.'),
      }),
      create: ({ every }) => forEverybody(summary, { idleNudgeMs: every }),
    })
  },
})
