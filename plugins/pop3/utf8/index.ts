import { createSlot, definePlugin, noSettings, pop3Extensions } from 'mailwright/api'
import type { Pop3Command, Pop3Extension } from 'mailwright/api'
import { saslprep } from 'mailwright/toolkit'

/** Whether the client said UTF8; crosses the login. */
const UTF8 = createSlot<boolean>('pop3.utf8', 'logout', () => false, { encode: (on) => Uint8Array.of(on ? 1 : 0), decode: (octets) => octets[0] === 1 })

/** RFC 6856 §2. Messages are sent as they are stored, with and without it; what changes is that the client expects it. */
const utf8: Pop3Command = {
  name: 'UTF8',
  states: ['authorization'],
  run({ words }, session) {
    if (words.length > 0) return { kind: 'err', text: 'UTF8 takes no argument' }
    session.setSlot(UTF8, true)
    return { kind: 'ok', text: 'UTF8 enabled' }
  },
}
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const extension: Pop3Extension = {
  commands: [utf8],
  // RFC 6856 §2.2: SASLprep, and nothing that is no UTF-8. ASCII is what it is.
  credential(octets) {
    if (octets.every((octet) => octet < 0x80)) return octets
    try {
      const text = saslprep(decoder.decode(octets))
      return text === undefined ? undefined : Buffer.from(text, 'utf8')
    } catch {
      return undefined
    }
  },
}

export default definePlugin({
  id: 'pop3-utf8',
  api: '1.0',
  summary: 'UTF8: names, passwords and messages in UTF-8 (RFC 6856)',
  setup(p) {
    p.to(pop3Extensions).contribute({
      name: 'utf8',
      settings: noSettings,
      about: { requires: [], capabilities: () => ['UTF8 USER'] },
      create: () => extension,
    })
  },
})
