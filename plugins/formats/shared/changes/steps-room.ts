import { failedWith } from 'mailwright/api'
import type { OpenFile } from 'mailwright/api'
import { octetsAt } from './redo-format.js'
import type { Plan } from './redo-plan.js'
import { leastRoom } from './steps-format.js'

/** Octets of a redo file for steps that are tried: with more, fewer steps are made. */
const ROOMS = [1 << 20, 1 << 18, 1 << 16, 1 << 14]

/**
 * Writes the last octet of the mailbox once more. A disk that does not take even what takes no room (one that writes everything to a new
 * place may not, when it is full) would stop a change on its way, and so would a limit on the size of files.
 *
 * @throws what the disk says.
 */
export async function mustTakeOctets(mailbox: OpenFile, size: number, durable: boolean): Promise<void> {
  await mailbox.write([await octetsAt(mailbox, size - 1, 1)], size - 1)
  if (durable) await mailbox.sync()
}
/**
 * Octets that a redo file has, or can be given, for a change in steps: what is written over them later needs no room. Undefined when the
 * disk has not even the least.
 */
export async function roomForSteps(redo: OpenFile, plan: Plan, durable: boolean): Promise<number | undefined> {
  const least = leastRoom(plan)
  const [most = 0] = ROOMS
  let { size } = await redo.stat()
  if (size > Math.max(most, least)) {
    size = Math.max(most, least)
    await redo.truncate(size)
  }
  for (const wanted of [...ROOMS.filter((room) => room > least), least]) {
    if (wanted <= size) return size
    try {
      await redo.write([Buffer.alloc(wanted - size)], size)
      // The disk may refuse only when it is really written.
      if (durable) await redo.sync()
      return wanted
    } catch (error) {
      if (!failedWith(error, 'ENOSPC', 'EDQUOT', 'EFBIG')) throw error
      await redo.truncate(size)
    }
  }
  return undefined
}
