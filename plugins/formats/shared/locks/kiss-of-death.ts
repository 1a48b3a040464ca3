import { failedWith } from 'mailwright/api'
import type { Say } from './lock-context.js'
import type { FileLocks } from './locks.js'

/** So long a program that kept its mailbox is not asked again: every try makes the session wait. */
const NOT_AGAIN_MS = 300_000
/** Lock files that are kept in mind. */
const REMEMBERED = 256
/** The kernel's list of locks is read in pieces of this size. */
const PIECE = 1 << 16

/** The process that an owner lock names, and the inode of the lock file. */
export interface Owner {
  readonly pid: number
  readonly inode: number
}

/**
 * Asks the process that has a mailbox open to give up its right to write, by SIGUSR2; programs of the c-client family do. True when
 * it was asked and is worth waiting for.
 *
 * Anybody may write any number into a lock file, and the signal ends a process that does not know it. So it is sent only to the
 * process of which the kernel says that it holds the lock of this very file; who may be signalled is the kernel's decision too.
 */
export async function askOwner(ctx: FileLocks, path: string, holder: Owner, say: Say): Promise<boolean> {
  const { clock, machine, settings, refusals, logger } = ctx
  if (!settings.askOwner || holder.pid <= 1 || holder.pid === machine.pid) return false
  const now = clock.steady()
  const refused = refusals.get(path)
  if (refused !== undefined && refused.pid === holder.pid && now < refused.untilMs) return false
  if (!(await holdsFlock(ctx, holder)) || !machine.ask(holder.pid)) return false
  for (const oldest of refusals.keys()) if (refusals.size >= REMEMBERED) refusals.delete(oldest)
  refusals.set(path, { pid: holder.pid, untilMs: now + NOT_AGAIN_MS })
  say('waiting', `Trying to get mailbox lock from process ${holder.pid}`)
  logger.info('another program was asked to give up a mailbox', { pid: holder.pid })
  return true
}

/** `6: FLOCK  ADVISORY  WRITE 4711 fe:00:2221562 0 EOF`; a device is not the same here and in a stat on every file system. */
async function holdsFlock(ctx: FileLocks, { pid, inode }: Owner): Promise<boolean> {
  const lines = new RegExp(`^\\d+: FLOCK +ADVISORY +WRITE +${pid} [0-9a-f]+:[0-9a-f]+:${inode} `, 'm')
  return lines.test(await kernelLockTable(ctx))
}
async function kernelLockTable({ files }: FileLocks): Promise<string> {
  try {
    const file = await files.open('/proc/locks')
    try {
      let text = ''
      for (const piece = Buffer.alloc(PIECE); ; ) {
        const got = await file.read(piece, text.length)
        text += piece.toString('latin1', 0, got)
        if (got < PIECE) return text
      }
    } finally {
      await file.close()
    }
  } catch (error) {
    // Linux has it; elsewhere nobody is asked.
    if (failedWith(error, 'ENOENT', 'EACCES', 'EPERM')) return ''
    throw error
  }
}
