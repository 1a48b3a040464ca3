import { z } from 'zod'
import { duration, filePath } from '../../api/settings.js'

/** `server`. */
export const serverSection = z.strictObject({
  name: z.string().min(1).optional().describe("Name of the machine in greetings and message ids; without it the machine's own, looked up where it has no domain."),
  runDirectory: filePath().optional().describe('Folder of the control socket through which "mailwright reload" reaches the server.'),
  startTimeout: duration().prefault('1m').describe('Deadline of each step of starting.'),
  stopTimeout: duration().prefault('10s').describe('Deadline of each step of stopping.'),
  drainTimeout: duration().prefault('30s').describe('How long sessions may finish what they do when the server stops.'),
})

/** `processes`. */
export const processesSection = z.strictObject({
  model: z
    .enum(['auto', 'single', 'workers', 'per-user'])
    .default('auto')
    .describe('single: one process for everything; workers: several for the mail, all sessions of a user in one of them; per-user: one for each user, with the rights of that user alone; auto: per-user when root serves accounts that may have a uid, else single.'),
  workers: z.int().min(1).max(64).optional().describe('workers: how many; without it one less than the machine has processors, for the process that talks to clients needs one, and at least two.'),
  frontUser: z.string().min(1).optional().describe('workers, per-user: account of the process that talks to clients before they log in; without it "mailwright", or "nobody" where there is none.'),
  authUser: z.string().min(1).optional().describe('workers, per-user: account of the process that checks passwords; without it root, which shadow passwords and PAM need.'),
  mailUser: z.string().min(1).optional().describe('workers, per-user: account that serves the mail of users who have no uid of their own.'),
  spare: z.int().min(0).max(100).default(1).describe('per-user: processes that wait for the next user.'),
  idle: duration().prefault('1m').describe('per-user: how long the process of a user stays after the last session.'),
})
