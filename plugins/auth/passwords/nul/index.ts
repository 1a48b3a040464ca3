import { definePlugin, noSettings, passwordBackends } from 'mailwright/api'

/** Nobody has a password. */
export default definePlugin({
  id: 'passwords-nul',
  api: '1.0',
  summary: 'Refuses every password, for hosts on which other mechanisms let people in',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'nul',
      settings: noSettings,
      about: { verifies: ['password'], holds: [], changes: false },
      create: () => ({ verify: () => Promise.resolve({ kind: 'disabled' }) }),
    })
  },
})
