import { definePlugin, noSettings, OTP_CHAIN, saslMechanisms } from 'mailwright/api'
import { otp } from './otp.js'

/** SASL OTP. */
export default definePlugin({
  id: 'auth-otp',
  api: '1.0',
  summary: 'SASL OTP (RFC 2444): passwords that are used once; needs the backend otp',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'otp',
      settings: noSettings,
      about: { name: 'OTP', exposesPassword: false, verifiesBy: [], worksWith: [OTP_CHAIN], offered: () => true },
      create: () => otp,
    })
  },
})
