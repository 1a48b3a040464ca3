import type { Files } from 'mailwright/api'
import type { TextDialect } from './dialect.js'
import { looksLikeMailbox } from './parser.js'

/** So many octets tell whether a file is a mailbox; the From line must end within them. */
const PROBED = 1023

/**
 * As what a file that is not empty begins. `begun`: a first message is being written by another program, whose first line is not complete yet;
 * who opens the file waits for its lock.
 */
export async function beginningOf({ files, dialect }: { readonly files: Files; readonly dialect: TextDialect }, path: string, size: number): Promise<'mailbox' | 'begun' | 'other'> {
  const file = await files.open(path, { keepAccessTime: true })
  try {
    const room = Buffer.alloc(Math.min(PROBED, size))
    const head = room.subarray(0, file.readSomeNow?.(room, 0) ?? (await file.read(room, 0)))
    if (looksLikeMailbox(dialect, head)) return 'mailbox'
    const isBegun = head.length < PROBED && !head.includes(10) && (dialect.delimiter || 'From ').startsWith(head.toString('latin1', 0, 5))
    return isBegun ? 'begun' : 'other'
  } finally {
    // It was only read, so nobody has to wait for it.
    file.close().catch(() => undefined)
  }
}
