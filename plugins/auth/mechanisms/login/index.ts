import { definePlugin, noSettings, saslMechanisms } from 'mailwright/api'
import { loginMechanism } from './login.js'

/** SASL LOGIN. */
export default definePlugin({
  id: 'auth-login',
  api: '1.0',
  summary: 'SASL LOGIN (draft-murchison-sasl-login): name and password on two prompts',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'login',
      settings: noSettings,
      about: { name: 'LOGIN', exposesPassword: true, verifiesBy: ['password'], worksWith: [], offered: () => true },
      create: () => loginMechanism,
    })
  },
})
