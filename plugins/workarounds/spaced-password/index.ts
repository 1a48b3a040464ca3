import { definePlugin, noSettings, workarounds } from 'mailwright/api'
import { forEverybody } from '../shared/everybody.js'

/**
 * Client: several clients of the 1990s, among them early Outlook Express.
 * The client sends `LOGIN user  password` with two spaces, or a password with a space in front, and the login fails (authentication facts 5.3).
 * Here a failed password that begins with a space is tried once more without it.
 */
export default definePlugin({
  id: 'workaround-spaced-password',
  api: '1.0',
  summary: 'A password with a space in front is tried again without it',
  setup(p) {
    p.to(workarounds).contribute({
      name: 'spaced-password',
      settings: noSettings,
      create: () => forEverybody('A password with a space in front is tried again without it', { spacedPasswordRetry: true }),
    })
  },
})
