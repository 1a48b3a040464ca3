import type { OpenFile } from 'mailwright/api'

/** Closes a file that was only read: nobody has to wait for that, and nothing can be lost by it. */
export function closeRead(file: OpenFile): void {
  file.close().catch(() => undefined)
}

/** So few octets are copied while the event loop waits, where they are in memory: a thread would take longer to say so. */
const SMALL = 1 << 15

/** Reads what little is asked for, and says how much of it there was. At once where the system has it in memory. */
export function readSmall(file: OpenFile, into: Uint8Array, at: number): number | Promise<number> {
  return (into.length <= SMALL ? file.readSomeNow?.(into, at) : undefined) ?? file.read(into, at)
}
