import { z } from 'zod'
import { duration, filePath } from '../../api/settings.js'

/** `server`. */
export const serverSection = z.strictObject({
  name: z.string().min(1).optional().describe("Name of the machine in greetings and message ids; without it the machine's own."),
  runDirectory: filePath().optional().describe('Folder of the control socket through which "mailwright reload" reaches the server.'),
  startTimeout: duration().prefault('1m').describe('Deadline of each step of starting.'),
  stopTimeout: duration().prefault('10s').describe('Deadline of each step of stopping.'),
  drainTimeout: duration().prefault('30s').describe('How long sessions may finish what they do when the server stops.'),
})

/** `processes`. */
export const processesSection = z.strictObject({
  model: z.enum(['single']).default('single').describe('single: one process for everything.'),
})
