import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach } from 'vitest'
import type { AppendItem, AppendResult, FilePlace, Files } from '../../core/api/index.js'
import { SystemFiles } from '../../core/os/files.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import type { TextFormat } from '../../plugins/formats/shared/text/format.js'
import { alice, never, type OpenUnix } from './unix.js'

/** A From line as a delivery program writes it. */
export const FROM = 'From bob@example.net Mon Jan  5 09:08:07 2015\n'

/** A message for APPEND, whose octets come in small pieces. */
export function item(bytes: Uint8Array, change: Partial<AppendItem> = {}): AppendItem {
  return {
    size: bytes.length,
    async *bytes() {
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
    },
    binary: false,
    system: 0,
    keywords: [],
    facts: new Map(),
    ...change,
  } as unknown as AppendItem
}

/** A folder of one test with room for a mailbox. */
export class UnixFolder {
  dir = ''
  path = ''
  files: Files = new SystemFiles(undefined)

  async begin(): Promise<void> {
    this.dir = await mkdtemp(join(tmpdir(), 'mailwright-unix-'))
    this.path = join(this.dir, 'box')
    this.files = new SystemFiles(await nativeLocks())
  }
  async end(): Promise<void> {
    await chmod(this.dir, 0o755)
    await rm(this.dir, { recursive: true, force: true })
  }
  place(): FilePlace {
    return { path: this.path, user: alice, fileMode: 0o640, directoryMode: 0o700 }
  }
  /** Puts a golden mailbox there. */
  async sample(name: string): Promise<void> {
    await copyFile(fileURLToPath(new URL(`../fixtures/unix/${name}`, import.meta.url)), this.path)
  }
  /** Delivers, into the mailbox as it is open, if it is. */
  async append(format: TextFormat, items: readonly AppendItem[], box?: OpenUnix): Promise<AppendResult | undefined> {
    const delivery = await format.append(this.place())
    for (const one of items) {
      const bytes = (one.bytes as unknown as () => AsyncIterable<Uint8Array>)()
      await delivery.add({ ...one, bytes }, never)
    }
    if (box === undefined) return delivery.commit(undefined, never)
    return (await box.edit((edit) => delivery.commit({ source: box.source, edit }, never))).value
  }
}
/** One for each test of the file. */
export function unixFolder(): UnixFolder {
  const folder = new UnixFolder()
  beforeEach(() => folder.begin())
  afterEach(() => folder.end())
  return folder
}
