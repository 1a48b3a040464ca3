import { readFileSync } from 'node:fs'
import type { FileStat, OpenFile } from '../../core/api/index.js'

/** A golden sample of the unix format. */
export function fixture(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/unix/${name}`, import.meta.url))
}

/** An open file that reads from memory, `step` octets at a time. */
export function bytesFile(bytes: Uint8Array, step = Number.MAX_SAFE_INTEGER): OpenFile {
  const refuse = (): never => {
    throw new Error('read-only')
  }
  return {
    path: '/memory',
    async read(into, at) {
      const part = bytes.subarray(at, at + Math.min(into.length, step))
      into.set(part)
      return part.length
    },
    write: refuse,
    truncate: refuse,
    sync: refuse,
    stat: async (): Promise<FileStat> => ({
      kind: 'file', device: 1, inode: 1, size: bytes.length, links: 1, mode: 0o600, uid: 0, gid: 0, atimeMs: 0, mtimeMs: 0, ctimeMs: 0,
    }),
    chmod: refuse,
    setTimes: refuse,
    lock: () => 'unavailable',
    unlock: () => undefined,
    close: async () => undefined,
  }
}
