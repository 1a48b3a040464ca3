import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

function mount(folder: string, size: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'mailwright-test', folder]).status === 0
}
/** Whether this process may give a folder a file system of its own: root may, but not in every container. */
export function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const folder = mkdtempSync(join(tmpdir(), 'mailwright-mount-'))
  try {
    return mount(folder, '64k') && spawnSync('umount', [folder]).status === 0
  } finally {
    rmdirSync(folder)
  }
}

/** A file system of a few pages over a folder, in memory: a disk that can be filled to its last octet. Disposed of, it is gone with what is in it. */
export class SmallDisk implements Disposable {
  readonly folder: string
  readonly #filler: string
  /** @param size as mount(8) takes it: `512k`. */
  constructor(folder: string, size: string) {
    if (!mount(folder, size)) throw new Error(`${folder} is no place for a mount`)
    this.folder = folder
    this.#filler = join(folder, '.filler')
  }
  /** Nothing more can be written, but where something is already. */
  async fill(): Promise<void> {
    const file = await open(this.#filler, 'a')
    try {
      for (const octets of [65_536, 4096, 1]) {
        try {
          for (;;) await file.write(Buffer.alloc(octets))
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
        }
      }
    } finally {
      await file.close()
    }
  }
  /** Room again. */
  async room(): Promise<void> {
    await rm(this.#filler, { force: true })
  }
  [Symbol.dispose](): void {
    // Lazily: a server that is going may have a file open.
    spawnSync('umount', ['-l', this.folder])
  }
}
