import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { applyRedo } from '../../../plugins/formats/shared/changes/redo-apply.js'
import { clearRedo, lookAtRedo, openRedo, type RedoPlaces } from '../../../plugins/formats/shared/changes/redo-places.js'
import { recover } from '../../../plugins/formats/shared/changes/redo-recovery.js'
import { RedoWriter } from '../../../plugins/formats/shared/changes/redo-writer.js'
import { countingFiles } from '../../support/counting-files.js'
import { FullDisk } from '../../support/full-disk.js'
import { randomOf, seedOf } from '../../support/random.js'

const files = new SystemFiles(undefined)
/** The disk takes whole sectors. */
const SECTOR = 512

describe('a rewrite that a power failure interrupts', () => {
  let folder = ''
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'mailwright-redo-'))))
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const sizes = [
    { name: 'smaller than what keeps the old octets', octets: 40_000, grows: false },
    { name: 'larger, of which sums are kept', octets: 200_000, grows: false },
    { name: 'larger than what is held in memory', octets: 3_500_000, grows: false },
    { name: 'larger than a piece, held in memory', octets: 1_500_000, grows: false },
    { name: 'larger, of a file that grows', octets: 200_000, grows: true },
  ]
  test.each(sizes)('is finished, whichever sectors reached the disk: $name', async ({ octets, grows }) => {
    const random = randomOf(seedOf('redo'))
    const chance = (n: number): Buffer => Buffer.from(Uint8Array.from({ length: n }, () => 1 + Math.floor(random() * 255)))
    for (let round = 0; round < 8; round++) {
      const path = join(folder, `box${round}`)
      const old = chance(octets)
      const start = Math.floor(random() * 1000)
      const fresh = Buffer.concat([old.subarray(0, start), chance(octets - start + (grows ? 5000 : -Math.floor(random() * 3000)))])
      await writeFile(path, old)
      const places: RedoPlaces = { first: join(folder, `.box${round}.redo`), second: join(folder, 'other') }
      const mailbox = await files.open(path, { write: true })
      const { file: redo, room } = await openRedo(files, places, '/nowhere')
      const { device, inode, size } = await mailbox.stat()
      const writer = new RedoWriter(redo, mailbox, start, room)
      for (let at = start; at < fresh.length; at += 70_001) await writer.bytes(fresh.subarray(at, at + 70_001))
      await writer.finish('rewrite', { device, inode, size })
      await redo.close()
      // What is there afterwards: of each sector the old octets or the new ones, and of the length too.
      const length = grows || random() < 0.5 ? Math.max(old.length, fresh.length) : fresh.length
      const torn = Buffer.alloc(length)
      for (let at = 0; at < length; at += SECTOR) {
        const isNew = random() < 0.5
        // Room for growth is taken before anything changes; what is cut off is never written.
        for (let i = at; i < Math.min(at + SECTOR, length); i++) torn[i] = (isNew && i < fresh.length) || i >= old.length ? (isNew ? (fresh[i] ?? 0) : 0) : (old[i] ?? 0)
      }
      await mailbox.truncate(0)
      await mailbox.write([torn], 0)
      expect(await recover(files, places, mailbox, { stateDirectory: '/nowhere', durable: false, mark: 0 }), `round ${round}`).toEqual({ kind: 'redone' })
      await mailbox.close()
      expect((await readFile(path)).equals(fresh), `round ${round}`).toBe(true)
    }
  })
  test.each([
    { name: 'of which the redo file is held in memory', count: 9000, length: 8 },
    { name: 'of which it is not', count: 9000, length: 260 },
  ])('is made, or finished, whole where it writes many small pieces, near to each other and far apart, $name', async ({ count, length }) => {
    const random = randomOf(seedOf('redo pieces'))
    const path = join(folder, 'box')
    const gaps = Array.from({ length: count }, (_, n) => (n % 100 === 0 ? 5000 + Math.floor(random() * 300_000) : Math.floor(random() * 900)))
    const old = Buffer.alloc(gaps.reduce((sum, gap) => sum + gap + length, 0), 'o')
    const fresh = Buffer.from(old)
    for (const torn of [false, true]) {
      await writeFile(path, old)
      const places: RedoPlaces = { first: join(folder, '.box.redo'), second: join(folder, 'other') }
      const mailbox = await files.open(path, { write: true })
      const { file: redo, room } = await openRedo(files, places, '/nowhere')
      const { device, inode, size } = await mailbox.stat()
      const writer = new RedoWriter(redo, mailbox, 0, room)
      for (const [n, gap] of gaps.entries()) {
        const octets = Buffer.alloc(length, 65 + (n % 26))
        writer.stay(writer.at + gap)
        octets.copy(fresh, writer.at)
        await writer.bytes(octets)
      }
      writer.stay(size)
      const staged = await writer.finish('rewrite', { device, inode, size })
      expect({ evidence: staged.trailer.evidence, inMemory: staged.payload !== undefined }).toEqual({ evidence: 'sums', inMemory: length === 8 })
      if (torn) {
        for (const s of staged.trailer.segments) if (random() < 0.5) await mailbox.write([fresh.subarray(s.offset, s.offset + s.length)], s.offset)
        await redo.close()
        expect(await recover(files, places, mailbox, { stateDirectory: '/nowhere', durable: false, mark: 0 })).toEqual({ kind: 'redone' })
      } else {
        await applyRedo(redo, mailbox, staged, false)
        await redo.close()
      }
      await mailbox.close()
      expect((await readFile(path)).equals(fresh)).toBe(true)
    }
  })
  test.each(['cannot be read to its end', 'cannot be written either'])('that %s leaves no write under way, and no failure that nobody hears of', async (what) => {
    const path = join(folder, 'box')
    await writeFile(path, Buffer.alloc(8_000_000, 'o'))
    const places: RedoPlaces = { first: join(folder, '.box.redo'), second: join(folder, 'other') }
    const mailbox = await files.open(path, { write: true })
    const { file: redo, room } = await openRedo(files, places, '/nowhere')
    const { device, inode, size } = await mailbox.stat()
    const writer = new RedoWriter(redo, mailbox, 0, room)
    for (let n = 0; n < 13; n++) {
      writer.stay(n * 600_000)
      await writer.bytes(Buffer.alloc(200_000, 'n'))
    }
    writer.stay(size)
    const staged = await writer.finish('rewrite', { device, inode, size })
    expect(staged.payload).toBeUndefined()
    let [begun, ended] = [0, 0]
    const [read, write] = [redo.read.bind(redo), mailbox.write.bind(mailbox)]
    redo.read = async (into, at) => {
      await pause(10)
      // A later piece is on a bad block.
      if (begun > 0) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
      return read(into, at)
    }
    mailbox.write = async (chunks, at) => {
      begun++
      await pause(what === 'cannot be written either' ? 1 : 20)
      ended++
      if (what === 'cannot be written either') throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })
      await write(chunks, at)
    }
    await expect(applyRedo(redo, mailbox, staged, false)).rejects.toThrow('EIO')
    expect(begun).toBeGreaterThan(1)
    expect(ended).toBe(begun)
    for (const file of [mailbox, redo]) await file.close()
  })
  test.each([
    { name: 'and is not to be after all', fails: false },
    { name: 'and fails', fails: true },
  ])('that is written while more is collected, $name, leaves no write under way', async ({ fails }) => {
    const path = join(folder, 'box')
    await writeFile(path, 'old')
    const mailbox = await files.open(path, { write: true })
    const redo = await files.open(join(folder, 'redo'), { write: true, create: 'if-missing' })
    let [begun, ended] = [0, 0]
    const write = redo.write.bind(redo)
    redo.write = async (chunks, at) => {
      begun++
      await pause(20)
      ended++
      if (fails && begun > 1) throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })
      await write(chunks, at)
    }
    const writer = new RedoWriter(redo, mailbox, 0, undefined)
    for (let n = 0; n < 2; n++) await writer.bytes(Buffer.alloc(1 << 20, 'n'))
    await writer.bytes(Buffer.of(1))
    expect(begun).toBe(2)
    expect(ended).toBe(1)
    const { device, inode, size } = await mailbox.stat()
    if (fails) await expect(writer.finish('rewrite', { device, inode, size })).rejects.toThrow('EIO')
    await writer.drop()
    expect(ended).toBe(2)
    for (const file of [mailbox, redo]) await file.close()
  })
  test('is given up where it would make the mailbox longer, has written nothing yet, and finds a full disk', async () => {
    const path = join(folder, 'box')
    const old = Buffer.alloc(5000, 'o')
    await writeFile(path, old)
    const disk = new FullDisk(files, 4096)
    const places: RedoPlaces = { first: join(folder, '.box.redo'), second: join(folder, 'other') }
    const mailbox = await disk.files.open(path, { write: true })
    const { file: redo, room } = await openRedo(disk.files, places, '/nowhere')
    const { device, inode, size } = await mailbox.stat()
    const writer = new RedoWriter(redo, mailbox, 0, room)
    await writer.bytes(Buffer.alloc(9000, 'n'))
    await writer.finish('rewrite', { device, inode, size })
    await redo.close()
    disk.free = 0
    expect(await recover(disk.files, places, mailbox, { stateDirectory: '/nowhere', durable: true, mark: 0 })).toEqual({ kind: 'none' })
    await mailbox.close()
    expect((await readFile(path)).equals(old)).toBe(true)
    expect(await files.stat(places.first)).toBeUndefined()
  })
  test('is written without empty pieces', async () => {
    const path = join(folder, 'box')
    await writeFile(path, 'o'.repeat(5000))
    const mailbox = await files.open(path, { write: true })
    const redo = await files.open(join(folder, 'redo'), { write: true, create: 'if-missing' })
    const lengths: number[] = []
    const write = redo.write.bind(redo)
    redo.write = (chunks, at) => {
      lengths.push(...chunks.map((chunk) => chunk.length))
      return write(chunks, at)
    }
    const { device, inode, size } = await mailbox.stat()
    for (const octets of [10, 3 << 19, 6 << 20]) {
      const writer = new RedoWriter(redo, mailbox, 0, undefined)
      await writer.bytes(Buffer.alloc(octets, 'n'))
      await writer.finish('rewrite', { device, inode, size })
    }
    for (const file of [mailbox, redo]) await file.close()
    expect(lengths.length).toBeGreaterThan(5)
    expect(Math.min(...lengths)).toBeGreaterThan(0)
  })
})

test('a redo file that is known to be crossed out is not read again until it has another time', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-redo-'))
  try {
    const places: RedoPlaces = { first: join(folder, 'first'), second: join(folder, 'second') }
    const { file } = await openRedo(files, places, folder)
    await file.write([Buffer.alloc(100)], 0)
    const mark = Date.now() - 5000
    await clearRedo(files, file, folder, mark)
    const { files: counted, counts, reset } = countingFiles(files)
    expect(await lookAtRedo(counted, places)).toEqual({ interrupted: false, mark })
    const reading = counts().calls
    reset()
    expect(await lookAtRedo(counted, places, mark)).toEqual({ interrupted: false, mark })
    expect(counts().calls).toBe(reading - 3)
    // Another process began a change and ended.
    await file.write([Buffer.from('a change')], 0)
    await file.close()
    expect(await lookAtRedo(counted, places, mark)).toEqual({ interrupted: true, mark: Math.round((await stat(places.first)).mtimeMs) })
    // Of the second place nothing is known.
    await files.setTimes(places.first, mark, mark)
    await writeFile(places.second, 'a change')
    expect((await lookAtRedo(counted, places, mark)).interrupted).toBe(true)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
