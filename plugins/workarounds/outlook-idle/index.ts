import { definePlugin, duration, workarounds } from 'mailwright/api'
import { z } from 'zod'
import { forEverybody } from '../shared/everybody.js'

const summary = 'A client that idles for 29 minutes is woken before it is logged out'

/**
 * Client: Outlook 2003 to 2010, and other clients that believe in IDLE for ever.
 * RFC 2177 tells clients to end IDLE at least every 29 minutes. These do not, are logged out after half an hour, and tell their user of an error (FAQ 7.37).
 * Here a client that has idled so long is told of a new message that does not exist. It wakes, leaves IDLE, and the message is taken back at once: never more
 * than one, never outside IDLE, and nothing at all for clients that wake by themselves.
 */
export default definePlugin({
  id: 'workaround-outlook-idle',
  api: '1.0',
  summary,
  setup(p) {
    p.to(workarounds).contribute({
      name: 'outlook-idle',
      settings: z.strictObject({
        after: duration().prefault('29m').describe('How long a client may idle before it is told of a message that does not exist.'),
      }),
      create: ({ after }) => forEverybody(summary, { idlePhantomAfterMs: after }),
    })
  },
})
