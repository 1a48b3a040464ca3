import { definePlugin, imapExtensions, noSettings } from 'mailwright/api'
import type { ImapExtensionAbout } from 'mailwright/api'

/** Anonymous users have no APPEND. */
const about: ImapExtensionAbout = { requires: [], capabilities: (v) => (v.state === 'not-authenticated' || v.user?.anonymous === true ? [] : ['MULTIAPPEND']) }

/** APPEND takes several messages, all of which arrive or none, where this extension is on (RFC 3502 §6.3.11); stores of every kind can do it. */
export default definePlugin({
  id: 'imap-multiappend',
  api: '1.0',
  summary: 'MULTIAPPEND: several messages in one APPEND, all or none (RFC 3502)',
  setup(p) {
    p.to(imapExtensions).contribute({ name: 'multiappend', settings: noSettings, about, create: () => ({}) })
  },
})
