import { definePlugin, imapExtensions, noSettings } from 'mailwright/api'
import { always } from '../shared/capability.js'

/**
 * Non-synchronising literals (RFC 7888). Core's reader understands them in any case; these two say which size a client may send unasked.
 * Where both are on, core lists LITERAL+ alone and lets any size in; a host that wants LITERAL- says `without: [literal-plus]`.
 */
export default definePlugin({
  id: 'imap-literal-plus',
  api: '1.0',
  summary: 'LITERAL+ and LITERAL-: literals without waiting for the server (RFC 7888)',
  setup(p) {
    const point = p.to(imapExtensions)
    point.contribute({ name: 'literal-plus', settings: noSettings, about: always(['LITERAL+']), create: () => ({}) })
    point.contribute({ name: 'literal-minus', settings: noSettings, about: always(['LITERAL-']), create: () => ({}) })
  },
})
