import { z } from 'zod'
import type { LockSettings } from '../../api/host.js'
import { duration, fileMode, filePath } from '../../api/settings.js'

/** `hosts.*.files`. */
export const filesSection = z.strictObject({
  dotlock: z.boolean().default(true).describe('Make MAILBOX.lock while a mailbox file is read or written, as delivery programs do.'),
  dotlockTimeout: duration().prefault('5m').describe("How long another program's lock file is waited for before it counts as left behind."),
  dotlockMode: fileMode().prefault('0666').describe('Permission bits of lock files; other programs must be able to judge them, so leave it.'),
  lockDirectory: filePath().prefault('/tmp').describe('Folder of the lock files named after device and inode; the same for all programs of the machine.'),
  kernelLocks: z
    .array(z.enum(['flock', 'fcntl']))
    .default(['flock', 'fcntl'])
    .describe('Kernel locks taken on a mailbox file, in this order; programs that use one kind do not see the other.'),
  warnUnlocked: z.boolean().default(true).describe('Warn when a lock file cannot be made and the mailbox is used without it.'),
  askOwner: z
    .boolean()
    .default(true)
    .describe('Ask a mail program of the c-client family (alpine, UW servers) that has a mailbox open, by SIGUSR2, to leave writing to this server.'),
})

/** As the drivers are given it; `resolve` makes paths absolute. */
export function lockSettings(s: z.output<typeof filesSection>, resolve: (key: string, path: string) => string): LockSettings {
  const { dotlockTimeout, lockDirectory, ...rest } = s
  return { ...rest, dotlockTimeoutMs: dotlockTimeout, lockDirectory: resolve('lockDirectory', lockDirectory) }
}
