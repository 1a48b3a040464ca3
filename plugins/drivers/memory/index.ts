import { API_VERSION, CLOCK, definePlugin, mailDrivers, noSettings } from 'mailwright/api'
import { MemoryDriver } from './store.js'

/** The store `memory`. */
export default definePlugin({
  id: 'drivers-memory',
  api: API_VERSION,
  summary: 'mail in the memory of the process, for tests and demonstrations',
  setup(p) {
    p.to(mailDrivers).contribute({
      name: 'memory',
      about: { modseqs: true, keywords: 'any', uidsPersist: true, hierarchy: true, watches: true, facts: [], manyProcesses: false, acceptsUids: true },
      settings: noSettings,
      needs: { clock: CLOCK },
      create: (_settings, { clock }) => new MemoryDriver(() => clock.now()),
    })
  },
})
