import { CLOCK, definePlugin, noSettings, PASSWORD, RANDOM, saslMechanisms } from 'mailwright/api'
import { CramMd5 } from './cram-md5.js'

/** SASL CRAM-MD5. */
export default definePlugin({
  id: 'auth-cram-md5',
  api: '1.0',
  summary: 'SASL CRAM-MD5 (RFC 2195): the password is not sent, but has to be kept in clear',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'cram-md5',
      settings: noSettings,
      needs: { random: RANDOM, clock: CLOCK },
      about: { name: 'CRAM-MD5', exposesPassword: false, verifiesBy: [], worksWith: [PASSWORD], offered: () => true },
      create: (_s, { random, clock }) => new CramMd5(random, () => clock.now()),
    })
  },
})
