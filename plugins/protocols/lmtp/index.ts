import { CLOCK, HOST, LOGGER, SPOOL, definePlugin, duration, protocols, size } from 'mailwright/api'
import { z } from 'zod'
import { Lmtp } from './lmtp.js'

const settings = z.strictObject({
  // RFC 5321 §4.5.3.2.7.
  inactivity: duration().prefault('5m').describe('A mail transport that says nothing for this long is told so, and the connection is closed.'),
  maxConnections: z.int().nonnegative().default(100).describe('Connections at one time; more are told to come again. 0: no limit.'),
  maxMessage: size().prefault('0').describe('Octets of the largest message (SIZE); 0: what the mail transport took is taken.'),
  // RFC 5321 §4.5.3.1.8 wants a hundred.
  maxRecipients: z.int().min(100).default(1000).describe('Recipients of one message; the mail transport sends it once more for the others. At least 100 (RFC 5321).'),
  createFolder: z.boolean().default(false).describe('A folder that an address names (alice+lists@example.org) is made when it is missing; otherwise INBOX gets the message.'),
})

export default definePlugin({
  id: 'protocols-lmtp',
  api: '1.0',
  summary: 'LMTP (RFC 2033), by which a mail transport hands over messages; served where a listener says "protocol: lmtp", to peers that are trusted, for there is no login',
  setup(p) {
    p.to(protocols).contribute({
      name: 'lmtp',
      settings,
      about: { service: 'lmtp', ports: { plain: 24 }, delivers: true },
      needs: { host: HOST, clock: CLOCK, logger: LOGGER, spool: SPOOL },
      roles: ['front'],
      create: ({ inactivity, ...limits }, { host, ...parts }) => new Lmtp({ ...parts, ...limits, serverName: host.serverName, inactivityMs: inactivity }),
    })
  },
})
