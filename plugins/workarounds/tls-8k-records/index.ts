import { definePlugin, size, workarounds } from 'mailwright/api'
import { z } from 'zod'
import { forEverybody } from '../shared/everybody.js'

const summary = 'No TLS record carries more than 8 KiB'

/**
 * Client: everything on the SChannel library of Windows before XP SP2 (Outlook, Outlook Express), and Eudora 5 with a small buffer.
 * A TLS record of more than 16379 octets, which the standard allows, hangs or ends the connection (FAQ 6.7, 7.41, 7.43).
 * Here one write, and so one record, carries at most 8192 octets of payload.
 */
export default definePlugin({
  id: 'workaround-tls-8k-records',
  api: '1.0',
  summary,
  setup(p) {
    p.to(workarounds).contribute({
      name: 'tls-8k-records',
      settings: z.strictObject({
        payload: size().prefault('8KiB').describe('The most octets of payload in one record.'),
      }),
      create: ({ payload }) => forEverybody(summary, { maxWriteOctets: payload }),
    })
  },
})
