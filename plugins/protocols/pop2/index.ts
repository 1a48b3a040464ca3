import { CLOCK, HOST, LOGGER, MAILBOX_SETTINGS, MAILDROP_LOCKS, POP3_SETTINGS, chosen, definePlugin, duration, pop3Extensions, protocols } from 'mailwright/api'
import { z } from 'zod'
import { Pop2 } from './pop2.js'

const settings = z.strictObject({
  prelogin: duration().prefault('3m').describe('Time from the greeting to a login.'),
  inactivity: duration().prefault('30m').describe('A logged-in client that says nothing for this long is logged out.'),
})

export default definePlugin({
  id: 'protocols-pop2',
  api: '1.0',
  summary: 'POP2 (RFC 937), for clients that know nothing newer; served where a listener says "protocol: pop2", and only with passwords in clear allowed',
  setup(p) {
    p.to(protocols).contribute({
      name: 'pop2',
      settings,
      about: { service: 'pop', ports: { plain: 109 } },
      needs: { host: HOST, clock: CLOCK, logger: LOGGER, mailbox: MAILBOX_SETTINGS, pop3: POP3_SETTINGS, locks: MAILDROP_LOCKS, extensions: chosen(pop3Extensions) },
      create: ({ prelogin, inactivity }, { host, pop3, ...parts }) => new Pop2({ ...parts, serverName: host.serverName, giveWayMs: pop3.timeouts.giveWayMs, preloginMs: prelogin, inactivityMs: inactivity }),
    })
  },
})
