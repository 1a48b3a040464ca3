import { definePlugin, noSettings, workarounds } from 'mailwright/api'
import { forEverybody } from '../shared/everybody.js'

/**
 * Client: Netscape 4, Outlook Express and other clients in C.
 * A NUL octet in a message ends the message for clients that keep it as a C string: the rest is lost, and some lose step with the server (FAQ 7.34).
 * Here NUL goes out as octet 0x80, so sizes stay as they are. BINARY items keep their NULs.
 */
export default definePlugin({
  id: 'workaround-nul-to-0x80',
  api: '1.0',
  summary: 'NUL octets of message text go out as 0x80',
  setup(p) {
    p.to(workarounds).contribute({
      name: 'nul-to-0x80',
      settings: noSettings,
      create: () => forEverybody('NUL octets of message text go out as 0x80', { nulToEighty: true }),
    })
  },
})
