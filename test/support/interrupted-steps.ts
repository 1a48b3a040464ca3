import { rm, writeFile } from 'node:fs/promises'
import { uids, type Files, type MailboxFormat, type OpenFile } from '../../core/api/index.js'
import { Box, never } from '../../core/testing/box.js'
import { octetsOf, type SampleMessage } from '../../core/testing/messages.js'
import { deliverTo } from './directory-formats.js'
import { FullDisk, withMethods } from './full-disk.js'
import { placeOf } from './open-box.js'
import { alice } from './unix.js'

/*
 * A mailbox of which messages were expunged on a full disk, by a server that ended on the way: as other programs find it
 * before any server comes back.
 */

/** How many messages there are, and which of them is longer than any step. */
export const COUNT = 12
export const LONG_ONE = 8
const bodyOf = (n: number): readonly string[] => [`This is message ${n}.`, ...Array.from({ length: n === LONG_ONE ? 1500 : 20 + 3 * n }, (_, i) => `line ${i} of message ${n}`)]
/** A message that is like no other, in each of its lines. */
export function lined(n: number): SampleMessage {
  const header = ['From: bob@example.org', `Subject: message ${n}`, `Message-ID: <${n}@example.org>`, '']
  return { bytes: octetsOf([...header, ...bodyOf(n)]), system: 0, keywords: [], date: { ms: Date.UTC(2015, 0, 5, 9, 8, n), zone: 0 } }
}

/** Files of a process that ends: so many writes to one of them are made, half of the next, and from then on it changes nothing. */
function ending(files: Files, path: string, left: { writes: number }): Files {
  const over = (): Error => Object.assign(new Error('EIO: the process has ended'), { code: 'EIO' })
  return withMethods(files, {
    open: async (...args: Parameters<Files['open']>) => {
      const file = await files.open(...args)
      return withMethods<OpenFile>(file, {
        write: async (chunks, at) => {
          if (left.writes < 0) throw over()
          if (args[0] !== path || left.writes-- > 0) return file.write(chunks, at)
          const octets = Buffer.concat(chunks)
          await file.write([octets.subarray(0, octets.length / 2)], at)
          throw over()
        },
        truncate: async (size) => {
          if (left.writes < 0 || (args[0] === path && left.writes-- === 0)) throw over()
          return file.truncate(size)
        },
      })
    },
  })
}

/** What to make. */
export interface Interrupted {
  readonly home: string
  readonly path: string
  /** Of the user whose home this is. */
  readonly make: (files: Files) => MailboxFormat
  readonly files: Files
  /** The message that is expunged. */
  readonly gone: number
  /** Begins with what the mailbox says of itself; else its first message says it. */
  readonly created: boolean
}
/** A mailbox of whoever has the home. */
const ownPlace = (home: string, path: string) => placeOf(path, { ...alice, home })

/** Makes the mailbox, and expunges a message in steps that end before the write after so many. Answers whether it ended so, or all was done. */
export async function interruptExpunge({ home, path, make, files, gone, created }: Interrupted, steps: number): Promise<boolean> {
  const format = make(files)
  for (const there of [path, `${home}/state`]) await rm(there, { recursive: true, force: true })
  if (created) await format.create(ownPlace(home, path))
  else await writeFile(path, '', { mode: 0o600 })
  const whole = new Box(path, await format.open(ownPlace(home, path), never))
  await deliverTo(format, path, Array.from({ length: COUNT }, (_, i) => lined(i + 1)), whole)
  await whole.refresh({ claimRecent: true })
  await whole.close()
  // Without the room that it has from before.
  await rm(`${home}/state`, { recursive: true, force: true })
  const left = { writes: Number.POSITIVE_INFINITY }
  const disk = new FullDisk(files, 512)
  const box = new Box(path, await make(ending(disk.files, path, left)).open(ownPlace(home, path), never))
  await box.refresh()
  disk.free = 8
  // The last octet is written once more before anything begins.
  left.writes = 1 + steps
  const { uid } = box.rows[gone - 1] ?? { uid: 0 }
  const ended = await box.expunge(uids.one(uid), { always: true }).then(() => false, () => true)
  await box.close()
  return ended
}
