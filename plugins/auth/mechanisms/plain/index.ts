import { definePlugin, noSettings, saslMechanisms } from 'mailwright/api'
import { plainMechanism } from './plain.js'

/** SASL PLAIN. */
export default definePlugin({
  id: 'auth-plain',
  api: '1.0',
  summary: 'SASL PLAIN (RFC 4616): name and password in one message',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'plain',
      settings: noSettings,
      about: { name: 'PLAIN', exposesPassword: true, verifiesBy: ['password'], worksWith: [], offered: () => true },
      create: () => plainMechanism,
    })
  },
})
