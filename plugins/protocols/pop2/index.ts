import { CLOCK, HOST, LOGGER, definePlugin, duration, protocols } from 'mailwright/api'
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
      needs: { host: HOST, clock: CLOCK, logger: LOGGER },
      create: ({ prelogin, inactivity }, { host, clock, logger }) => new Pop2({ serverName: host.serverName, preloginMs: prelogin, inactivityMs: inactivity, clock, logger }),
    })
  },
})
