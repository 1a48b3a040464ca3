import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { OpenFile } from '../../../core/api/index.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { DataWriter, PIECE } from '../../../plugins/formats/mix/data-writer.js'
import { never } from '../../support/mail.js'

const START = 'what is there already\n'
async function writer(octets: number, signal = never): Promise<{ files: VirtualFiles; open: OpenFile; writer: DataWriter; content: () => Promise<Buffer> }> {
  const files = new VirtualFiles()
  const open = await files.open('/data', { write: true, create: 'new' })
  await open.write([Buffer.from(START)], 0)
  const content = async (): Promise<Buffer> => {
    const { size } = await open.stat()
    const into = Buffer.alloc(size)
    await open.read(into, 0)
    return into
  }
  return { files, open, content, writer: new DataWriter(open, 7, { at: START.length, fresh: false, octets, synced: false }, signal) }
}
/** So that every octet tells its place. */
const octetsFrom = (from: number, length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, i) => (from + i) % 251))

describe('messages on their way into a data file of mix', () => {
  const sizes = [1, 1000, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 77, 3 * PIECE + 5]
  test.each(sizes)('%d octets, in parts that end where no piece does, come in their order and with their sum', async (length) => {
    const { writer: w, content } = await writer(length)
    const all = octetsFrom(0, length)
    for (let at = 0; at < length; at += 300_007) await w.add(all.subarray(at, at + 300_007))
    expect(w.at).toBe(START.length + length)
    expect(w.extents).toEqual([{ file: 7, at: START.length, length, sum: crc32(all) }])
    await w.finish(true)
    expect((await content()).equals(Buffer.concat([Buffer.from(START), all]))).toBe(true)
    expect(w.extents).toEqual([{ file: 7, at: START.length, length, sum: crc32(all) }])
  })
  test('places that were asked for are written as they were filled, while others were written', async () => {
    const part = 400_000
    const { writer: w, content } = await writer(10 * part)
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
  test('who has gone writes no more', async () => {
    const stop = new AbortController()
    const { writer: w, content } = await writer(2 * PIECE, stop.signal)
    await w.add(octetsFrom(0, PIECE))
    stop.abort()
    await expect(w.finish(true)).rejects.toThrow('aborted')
    expect((await content()).toString('latin1')).toBe(START)
  })
})
