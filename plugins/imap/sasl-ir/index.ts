import { definePlugin, imapExtensions, noSettings } from 'mailwright/api'

/** AUTHENTICATE reads an initial response where this extension is on (RFC 4959); the command itself is a base command. */
export default definePlugin({
  id: 'imap-sasl-ir',
  api: '1.0',
  summary: 'SASL-IR: the first response in the AUTHENTICATE line (RFC 4959)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'sasl-ir',
      settings: noSettings,
      about: { requires: [], capabilities: (v) => (v.state === 'not-authenticated' && v.mechanisms.length > 0 ? ['SASL-IR'] : []) },
      create: () => ({}),
    })
  },
})
