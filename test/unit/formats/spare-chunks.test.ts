import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import type { Files } from '../../../core/api/index.js'
import { SafeChanges } from '../../../plugins/formats/shared/changes/safe-changes.js'
import { CHUNK, SpareChunks } from '../../../plugins/formats/shared/spare-chunks.js'
import { countingFiles } from '../../support/counting-files.js'
import { HeldClock } from '../../support/held-clock.js'
import { placeOf } from '../../support/open-box.js'
import { randomOf, seedOf } from '../../support/random.js'

describe('memory of large reads and writes', () => {
  test('is used again, by one at a time', () => {
    const chunks = new SpareChunks()
    const [first, second] = [chunks.take(), chunks.take()]
    expect([first.length, second.length, first === second]).toEqual([CHUNK, CHUNK, false])
    chunks.give(first)
    expect(chunks.take()).toBe(first)
    expect(chunks.take()).not.toBe(first)
  })
  test('is not taken from what is a part of something else', () => {
    const chunks = new SpareChunks()
    const large = Buffer.alloc(2 * CHUNK)
    chunks.give(large.subarray(0, CHUNK))
    chunks.give(Buffer.alloc(10))
    expect(chunks.take().buffer).not.toBe(large.buffer)
  })
})

describe('appends by way of the redo file', () => {
  let folder = ''
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'mailwright-chunks-'))))
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const changesOf = (files: Files, path: string): SafeChanges =>
    new SafeChanges(placeOf(path), {
      files, clock: new HeldClock(), random: (octets) => new Uint8Array(octets), mailbox: { stateDirectory: join(folder, 'state'), durability: 'full' },
      locks: { logger: { warn: (text: string) => expect.fail(text) } },
    })
  /** Changes octets at the beginning and appends, as formats do. */
  const append = async (files: Files, path: string, head: Uint8Array, parts: readonly Uint8Array[]): Promise<void> => {
    const file = await files.open(path, { write: true })
    try {
      const stat = await file.stat()
      await changesOf(files, path).change({ file, stat, mark: 0 }, { kind: 'append', size: stat.size, start: 0 }, async (w) => {
        await w.bytes(head)
        w.stay(stat.size)
        for (const part of parts) await w.bytes(part)
      })
    } finally {
      await file.close()
    }
  }

  test('to several mailboxes at the same time leave each with its own octets', async () => {
    const files = new SystemFiles(undefined)
    const random = randomOf(seedOf('chunks'))
    const boxes = Array.from({ length: 4 }, (_, n) => ({ path: join(folder, `box${n}`), whole: Buffer.alloc(100, n) }))
    for (const { path, whole } of boxes) await writeFile(path, whole)
    await Promise.all(boxes.map(async (box, n) => {
      for (let round = 0; round < 12; round++) {
        const head = Buffer.alloc(20, 16 * n + round)
        const parts = Array.from({ length: 1 + Math.floor(random() * 30) }, (_, i) => Buffer.alloc(1 + Math.floor(random() * 60_000), 64 * n + i))
        await append(files, box.path, head, parts)
        box.whole = Buffer.concat([head, box.whole.subarray(head.length), ...parts])
        expect((await readFile(box.path)).equals(box.whole), `round ${round} of ${box.path}`).toBe(true)
      }
    }))
  })
  test('of more than a chunk read back what they wrote once', async () => {
    const path = join(folder, 'box')
    await writeFile(path, Buffer.alloc(100, 'o'))
    const { files, counts } = countingFiles(new SystemFiles(undefined))
    const octets = 3 * CHUNK
    await append(files, path, Buffer.alloc(20, 'h'), [Buffer.alloc(octets, 'm')])
    // Written down, read back and written where they belong; the rest is what describes them.
    expect(counts().octets - 3 * octets).toBeLessThan(1 << 16)
  })
})
