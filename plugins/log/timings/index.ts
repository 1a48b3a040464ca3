import { CLOCK, definePlugin, duration, LOGGER, observers } from 'mailwright/api'
import { z } from 'zod'
import { SlowHops } from './slow-hops.js'

/** A line in the log for what takes long. */
export default definePlugin({
  id: 'log-timings',
  api: '1.0',
  summary: 'log lines for slow commands, with the size of the mailbox',
  setup(p) {
    p.to(observers).contribute({
      name: 'timings',
      settings: z.strictObject({
        slowerThan: duration().prefault('1s').describe('What takes at least so long is logged.'),
        hops: z
          .array(z.enum(['accept', 'tls', 'login', 'parse', 'run', 'resolve', 'store', 'flush', 'write']))
          .default(['run', 'store', 'write'])
          .describe('What is measured: commands (run), calls of the mail inside them (store, resolve), replies that wait for the client (write), and so on.'),
        except: z.array(z.string().toUpperCase()).default(['IDLE']).describe('Names of commands and calls that take long by nature.'),
      }),
      needs: { logger: LOGGER, clock: CLOCK },
      create: (settings, { logger, clock }) => new SlowHops(settings, logger, clock),
    })
  },
})
