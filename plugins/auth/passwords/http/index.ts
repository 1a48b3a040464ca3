import { CLOCK, definePlugin, passwordBackends, secretSource } from 'mailwright/api'
import { z } from 'zod'
import { remoteSettings } from '../../shared/remote-settings.js'
import { withCache } from '../../shared/verdict-cache.js'
import { HttpBackend } from './backend.js'

/** A web service that checks passwords and tokens. */
export default definePlugin({
  id: 'passwords-http',
  api: '1.0',
  summary: 'Passwords or tokens checked by a web service: a question and a verdict in JSON',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'http',
      settings: z.strictObject({
        url: z.url({ protocol: /^https?$/, error: 'expected an address such as "https://auth.example.org/mail"' }).describe('Where the question is posted.'),
        authorization: secretSource().optional().describe('Value of the field Authorization, such as "Bearer ...".'),
        claims: z.array(z.enum(['password', 'token'])).min(1).default(['password']).describe('What it is asked about.'),
        ...remoteSettings,
      }),
      needs: { clock: CLOCK },
      about: { verifies: ['password', 'token'], holds: [], changes: false },
      async create(s, { clock }, site) {
        const { hostname, protocol } = new URL(s.url)
        if (protocol === 'http:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname)) site.warn(`passwords go over the network in clear, to ${hostname}`)
        const authorization = s.authorization === undefined ? undefined : await site.secret(s.authorization)
        return withCache(new HttpBackend({ url: s.url, authorization, claims: s.claims, timeoutMs: s.timeout, parallel: s.parallel, fallthrough: s.fallthrough }), { forMs: s.cacheFor, entries: s.cacheEntries }, clock)
      },
    })
  },
})
