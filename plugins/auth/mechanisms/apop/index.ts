import { definePlugin, noSettings, PASSWORD, saslMechanisms } from 'mailwright/api'
import { apop } from './apop.js'

/** The check of POP3's APOP command. */
export default definePlugin({
  id: 'auth-apop',
  api: '1.0',
  summary: 'APOP (RFC 1939): the check behind the command of POP3; never listed as a SASL mechanism',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'apop',
      settings: noSettings,
      about: { name: 'APOP', exposesPassword: false, hidden: true, verifiesBy: [], worksWith: [PASSWORD], offered: (peer) => peer.service === 'pop' },
      create: () => apop,
    })
  },
})
