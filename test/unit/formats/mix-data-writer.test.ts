import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { OpenFile } from '../../../core/api/index.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { DataWriter, PIECE } from '../../../plugins/formats/mix/data-writer.js'
import { never } from '../../support/mail.js'

const START = 'what is there already\n'
async function writer(octets: number, signal = never, synced = false): Promise<{ files: VirtualFiles; open: OpenFile; writer: DataWriter; content: () => Promise<Buffer> }> {
  const files = new VirtualFiles()
  const open = await files.open('/data', { write: true, create: 'new' })
  await open.write([Buffer.from(START)], 0)
  const content = async (): Promise<Buffer> => {
    const { size } = await open.stat()
    const into = Buffer.alloc(size)
    await open.read(into, 0)
    return into
  }
  return { files, open, content, writer: new DataWriter(Promise.resolve({ file: 7, open }), { at: START.length, fresh: false, octets, synced, early: !synced }, signal) }
}
/** So that every octet tells its place. */
const octetsFrom = (from: number, length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, i) => (from + i) % 251))

describe('messages on their way into a data file of mix', () => {
  const sizes = [1, 1000, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 77, 3 * PIECE + 5]
  const ways = [{ way: 'piece by piece', synced: false }, { way: 'in one call that ends on the disk', synced: true }].flatMap((w) => sizes.map((length) => ({ ...w, length })))
  test.each(ways)('$length octets $way, in parts that end where no piece does, come in their order and with their sum', async ({ length, synced }) => {
    const { writer: w, files, content } = await writer(length, never, synced)
    const before = files.log.length
    const all = octetsFrom(0, length)
    for (let at = 0; at < length; at += 300_007) await w.add(all.subarray(at, at + 300_007))
    expect(w.at).toBe(START.length + length)
    await w.begin()
    expect(w.at).toBe(START.length + length)
    expect(w.extents).toEqual([{ file: 7, at: START.length, length, sum: crc32(all) }])
    await w.finish(true)
    expect((await content()).equals(Buffer.concat([Buffer.from(START), all]))).toBe(true)
    expect(w.extents).toEqual([{ file: 7, at: START.length, length, sum: crc32(all) }])
    expect(files.log.slice(before).map(({ op }) => op)).toEqual(synced ? ['write'] : [...Array<string>(Math.ceil(length / PIECE)).fill('write'), 'sync'])
  })
  test.each([false, true])('places that were asked for are written as they were filled, while others were written (synced: %s)', async (synced) => {
    const part = 400_000
    const { writer: w, content } = await writer(10 * part, never, synced)
    for (let n = 0; n < 10; n++) {
      const room = await w.space(part)
      await Promise.resolve()
      octetsFrom(n * part, part).copy(room)
    }
    await w.finish(true)
    expect((await content()).subarray(START.length).equals(octetsFrom(0, 10 * part))).toBe(true)
  })
  test('a disk that takes the first piece alone: it is told, and nothing is left after undo', async () => {
    const { writer: w, files, content } = await writer(3 * PIECE)
    await w.add(octetsFrom(0, PIECE))
    files.fault = { at: files.log.length + 1, code: 'ENOSPC', lasting: false }
    await expect(
      (async () => {
        await w.add(octetsFrom(0, PIECE))
        await w.add(octetsFrom(0, PIECE))
        await w.finish(true)
      })(),
    ).rejects.toMatchObject({ code: 'ENOSPC' })
    await w.undo()
    expect((await content()).toString('latin1')).toBe(START)
  })
  test('what is added while the file is being opened waits for that, and so does the number of the file', async () => {
    const { writer: other, open, content } = await writer(PIECE)
    await other.settled()
    let opened: () => void = () => undefined
    const opening = new Promise<void>((resolve) => (opened = resolve)).then(() => ({ file: 9, open }))
    const w = new DataWriter(opening, { at: START.length, fresh: true, octets: 4, synced: true, early: false }, never)
    expect(w.add(Buffer.from('mail'))).toBeUndefined()
    const finished = w.finish(true)
    expect(() => w.file).toThrow('not open yet')
    opened()
    await finished
    expect([w.file, (await content()).toString('latin1')]).toEqual([9, `${START}mail`])
  })
  test('a file that cannot be opened is told of when its octets are to be written, and leaves nothing to take back', async () => {
    const failure = Object.assign(new Error('EDQUOT'), { code: 'EDQUOT' })
    const w = new DataWriter(Promise.reject(failure), { at: 0, fresh: true, octets: 4, synced: true, early: false }, never)
    expect(w.add(Buffer.from('mail'))).toBeUndefined()
    await expect(w.begin()).rejects.toBe(failure)
    await w.settled()
    await expect(w.undo()).rejects.toBe(failure)
  })
  test('what is synced at the end goes to the disk while more is written, and nobody is done before that was said', async () => {
    const { writer: w, open } = await writer(3 * PIECE)
    const told: (() => void)[] = []
    const ranges: (readonly [from: number, to: number])[] = []
    open.beginWriting = (at, octets) => {
      ranges.push([at, at + octets])
      return new Promise((done) => told.push(done))
    }
    await w.add(octetsFrom(0, 3 * PIECE))
    let done = false
    const finished = w.finish(true).then(() => (done = true))
    await expect.poll(() => ranges).toEqual([[0, PIECE]])
    expect(done).toBe(false)
    for (const answer of told) answer()
    await finished
  })
  test('who has gone writes no more', async () => {
    const stop = new AbortController()
    const { writer: w, content } = await writer(2 * PIECE, stop.signal)
    await w.add(octetsFrom(0, PIECE))
    stop.abort()
    await expect(w.finish(true)).rejects.toThrow('aborted')
    expect((await content()).toString('latin1')).toBe(START)
  })
})
