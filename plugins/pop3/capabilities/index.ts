import { definePlugin, noSettings, pop3Extensions } from 'mailwright/api'
import type { Pop3ExtensionAbout } from 'mailwright/api'

/** What CAPA says besides commands (RFC 2449 §6, RFC 3206 §6), one name each to switch off. The daemon does what each promises. */
const rows: Readonly<Record<string, Pop3ExtensionAbout>> = {
  'login-delay': { requires: [], capabilities: ({ settings }) => (settings.loginDelayMs > 0 ? [`LOGIN-DELAY ${Math.ceil(settings.loginDelayMs / 1000)}`] : []) },
  'resp-codes': { requires: [], capabilities: () => ['RESP-CODES'] },
  'auth-resp-code': { requires: [{ extension: 'resp-codes' }], capabilities: () => ['AUTH-RESP-CODE'] },
  pipelining: { requires: [], capabilities: () => ['PIPELINING'] },
  expire: { requires: [], capabilities: ({ settings: { expire } }) => (expire === undefined ? [] : [`EXPIRE ${String(expire).toUpperCase()}`]) },
  implementation: { requires: [], capabilities: ({ implementation }) => [`IMPLEMENTATION ${implementation}`] },
}

export default definePlugin({
  id: 'pop3-capabilities',
  api: '1.0',
  summary: 'What CAPA says of the server as a whole (RFC 2449, RFC 3206)',
  setup(p) {
    for (const [name, about] of Object.entries(rows)) p.to(pop3Extensions).contribute({ name, settings: noSettings, about, create: () => ({}) })
  },
})
