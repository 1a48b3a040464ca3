import { CLOCK, definePlugin, FILE_LANE, FILES, RANDOM } from '../api/index.js'
import { systemClock, systemRandom } from './clock.js'
import { SystemFiles } from './files.js'
import { inlineLane, ThreadLane } from './lane.js'
import { nativeLocks } from './native-locks.js'

/** Files, time and random octets of the machine. */
export default definePlugin({
  id: 'core-os',
  api: '1.0',
  summary: 'Files, kernel locks, clock and random octets of this machine',
  setup(p) {
    p.provide(FILES, { create: async () => new SystemFiles(await nativeLocks()) })
    p.provide(FILE_LANE, {
      needs: { files: FILES, clock: CLOCK, random: RANDOM },
      // Threads take what was built; the sources themselves run where they are.
      create: (tools) => (import.meta.url.endsWith('.js') ? new ThreadLane(tools) : inlineLane(tools)),
    })
    p.provide(CLOCK, { create: () => systemClock })
    p.provide(RANDOM, { create: () => systemRandom })
  },
})
