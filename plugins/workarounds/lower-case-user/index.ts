import { definePlugin, noSettings, workarounds } from 'mailwright/api'
import { forEverybody } from '../shared/everybody.js'

/**
 * Client: mobile and TV-set clients that write the first letter of a field large.
 * The user types `bob`, the client sends `Bob`, and there is no such account (authentication facts 5.1).
 * Here a name that nobody knows is tried once more in lower case.
 */
export default definePlugin({
  id: 'workaround-lower-case-user',
  api: '1.0',
  summary: 'A user name that nobody knows is tried again in lower case',
  setup(p) {
    p.to(workarounds).contribute({
      name: 'lower-case-user',
      settings: noSettings,
      create: () => forEverybody('A user name that nobody knows is tried again in lower case', { lowerCaseUserRetry: true }),
    })
  },
})
