import { CLOCK, RANDOM, definePlugin, noSettings, pop3Extensions } from 'mailwright/api'
import { apopExtension } from './apop.js'

export default definePlugin({
  id: 'pop3-apop',
  api: '1.0',
  summary: 'APOP: logins by a digest, where the mechanism "apop" is used and a password backend can serve it (RFC 1939 §7)',
  setup(p) {
    p.to(pop3Extensions).contribute({
      name: 'apop',
      settings: noSettings,
      needs: { clock: CLOCK, random: RANDOM },
      about: { requires: [], capabilities: () => [] },
      create: (_settings, { clock, random }) => apopExtension(clock, random),
    })
  },
})
