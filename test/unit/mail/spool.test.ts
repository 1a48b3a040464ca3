import { describe, expect, test } from 'vitest'
import type { ArrivingOctets, Spooled } from '../../../core/api/index.js'
import { FileSpool } from '../../../core/mail/spool/file-spool.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { item, never } from '../../support/mail.js'

async function* pieces(size: number, piece: number, make = (octets: number): Uint8Array => new Uint8Array(octets)): AsyncGenerator<Uint8Array> {
  const shared = make(piece)
  for (let at = 0; at < size; at += piece) {
    // One buffer for all pieces, as a socket would have it.
    for (let i = 0; i < piece; i++) shared[i] = (at + i) % 251
    yield shared.subarray(0, Math.min(piece, size - at))
  }
}
async function spool(limits = { memory: 1000, memoryOfAll: 2500, message: 100_000 }) {
  const files = new VirtualFiles()
  await files.makeDirectory('/tmp', 0o777)
  let n = 0
  return { files, spool: new FileSpool(files, '/tmp', (octets) => new Uint8Array(octets).fill(n++), limits) }
}
async function whole(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const out: Uint8Array[] = []
  for await (const c of chunks) out.push(c.slice())
  return Buffer.concat(out)
}

describe('the spool', () => {
  test.each([0, 1, 999, 1000, 1001, 70_000])('gives back %d octets, twice, and leaves nothing', async (size) => {
    const { files, spool: s } = await spool()
    const taken = await s.take({ ...item(''), bytes: pieces(size, 100) }, never)
    const expected = await whole(pieces(size, 100))
    expect(taken.size).toBe(size)
    expect(await whole(taken.chunks())).toEqual(expected)
    expect(await whole(taken.chunks())).toEqual(expected)
    expect([await files.list('/tmp'), files.open_.size]).toEqual([[], size > 1000 ? 1 : 0])
    await taken[Symbol.asyncDispose]()
    await taken[Symbol.asyncDispose]()
    expect([s.memory, files.open_.size]).toEqual([0, 0])
  })
  test('Buffers are copied as well, whose slices share their memory', async () => {
    const { spool: s } = await spool()
    await using taken = await s.take({ ...item(''), bytes: pieces(900, 100, (octets) => Buffer.alloc(octets)) }, never)
    expect(await whole(taken.chunks())).toEqual(await whole(pieces(900, 100)))
  })
  describe('a message that is at hand', () => {
    const limits = { memory: 30_000, memoryOfAll: 200_000, message: 100_000 }
    /** As the link gives it: in a place that is used again as soon as the giver goes on. */
    const atHand = (octets: Uint8Array): ArrivingOctets & { read: number } => {
      const bytes = {
        read: 0,
        atOnce() {
          bytes.read++
          return octets
        },
        async *[Symbol.asyncIterator]() {
          bytes.read++
          yield octets
        },
      }
      return bytes
    }
    test.each([1, 5000, 16_384, 16_385, 30_000, 30_001])('%d octets are read once, and kept when the giver has gone on', async (size) => {
      const { spool: s } = await spool(limits)
      const place = await whole(pieces(size, size))
      const bytes = atHand(place)
      const taken = await s.take({ ...item(''), size, bytes }, never)
      const expected = Uint8Array.from(place)
      place.fill(0)
      expect(bytes.read).toBe(1)
      expect(await whole(taken.chunks())).toEqual(Buffer.from(expected))
      if (size <= limits.memory) expect(Buffer.from(taken.whole ?? [])).toEqual(Buffer.from(expected))
      else expect(taken.whole).toBeUndefined()
      await taken[Symbol.asyncDispose]()
      expect(s.memory).toBe(0)
    })
    test('small ones share memory, which is held as long as one of them is', async () => {
      const { files, spool: s } = await spool(limits)
      const put = (n: number): Promise<Spooled> => s.take({ ...item(''), size: 10_000, bytes: atHand(new Uint8Array(10_000).fill(n)) }, never)
      const taken = [await put(0), await put(1)]
      const shared = s.memory
      expect(shared).toBeLessThan(100_000)
      await taken[0]?.[Symbol.asyncDispose]()
      expect(s.memory).toBe(shared)
      for (let n = 2; n < 40; n++) taken.push(await put(n))
      expect([s.memory <= limits.memoryOfAll, files.open_.size > 0]).toEqual([true, true])
      for (const [n, t] of taken.entries()) if (n > 0) expect(new Set(await whole(t.chunks()))).toEqual(new Set([n]))
      for (const t of taken) await t[Symbol.asyncDispose]()
      expect(s.memory).toBe(0)
    })
    test('nothing is read for who has gone', async () => {
      const { spool: s } = await spool(limits)
      const bytes = atHand(new Uint8Array(10))
      await expect(s.take({ ...item(''), size: 10, bytes }, AbortSignal.abort())).rejects.toMatchObject({ kind: 'cancelled' })
      expect(bytes.read).toBe(0)
    })
  })
  describe('a message that comes in pieces', () => {
    const limits = { memory: 300_000, memoryOfAll: 2_000_000, message: 1_000_000 }
    test.each([
      ['as many as were said', 200_000, 200_000], ['fewer, of a small one', 9000, 16_000], ['fewer', 100_000, 250_000], ['more', 200_000, 1000], ['a few more than was said of a large one', 200_001, 200_000],
      ['said to be more than memory takes', 1000, 300_001], ['more than memory takes', 300_001, 200_000],
    ])('is whole in memory or in a file: %s', async (_what, octets, said) => {
      const { files, spool: s } = await spool(limits)
      const other = await s.take({ ...item(''), size: 5000, bytes: pieces(5000, 100) }, never)
      const taken = await s.take({ ...item(''), size: said, bytes: pieces(octets, 7001) }, never)
      const next = await s.take({ ...item(''), size: 5000, bytes: pieces(5000, 50) }, never)
      const inFile = Math.max(octets, said) > limits.memory
      expect([taken.size, files.open_.size, taken.whole?.length]).toEqual([octets, inFile ? 1 : 0, inFile ? undefined : octets])
      expect(await whole(taken.chunks())).toEqual(await whole(pieces(octets, 7001)))
      // Neighbours in shared memory were left alone.
      expect(await whole(other.chunks())).toEqual(await whole(pieces(5000, 100)))
      expect(await whole(next.chunks())).toEqual(await whole(pieces(5000, 50)))
      for (const t of [taken, other, next]) await t[Symbol.asyncDispose]()
      expect([s.memory, files.open_.size]).toEqual([0, 0])
    })
    test('holds little of what was said and does not come', async () => {
      const { spool: s } = await spool(limits)
      let goAway = (): void => undefined
      const gone = new Promise<never>((_resolve, reject) => void (goAway = () => reject(new Error('gone'))))
      const bytes = (async function* (): AsyncGenerator<Uint8Array> {
        yield new Uint8Array(1)
        await gone
      })()
      const taking = s.take({ ...item(''), size: 250_000, bytes }, never)
      await new Promise((resolve) => setImmediate(resolve))
      expect(s.memory).toBeGreaterThan(0)
      expect(s.memory).toBeLessThan(100_000)
      goAway()
      await expect(taking).rejects.toThrow('gone')
      expect(s.memory).toBe(0)
    })
  })
  test('memory is bounded over all messages', async () => {
    const { files, spool: s } = await spool()
    const taken = []
    for (let i = 0; i < 5; i++) taken.push(await s.take({ ...item(''), bytes: pieces(900, 100) }, never))
    expect([s.memory <= 2500, files.open_.size]).toEqual([true, 3])
    for (const t of taken) await t[Symbol.asyncDispose]()
    expect(s.memory).toBe(0)
  })
  test('the largest message passes, one octet more does not, and nothing is left', async () => {
    const { files, spool: s } = await spool()
    const largest = await s.take({ ...item(''), bytes: pieces(100_000, 1000) }, never)
    await largest[Symbol.asyncDispose]()
    await expect(s.take({ ...item(''), bytes: pieces(100_001, 1000) }, never)).rejects.toMatchObject({ kind: 'limit' })
    expect([s.memory, files.open_.size, await files.list('/tmp')]).toEqual([0, 0, []])
  })
  test('a sender that stops leaves nothing', async () => {
    const { files, spool: s } = await spool()
    const stop = new AbortController()
    const stopping = (async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(5000)
      stop.abort()
      yield new Uint8Array(1)
    })()
    await expect(s.take({ ...item(''), bytes: stopping }, stop.signal)).rejects.toMatchObject({ kind: 'cancelled' })
    expect([s.memory, files.open_.size]).toEqual([0, 0])
  })
  test('a full disk is said', async () => {
    const { files, spool: s } = await spool()
    files.fault = { at: files.log.length, code: 'ENOSPC', lasting: true }
    await expect(s.take({ ...item(''), bytes: pieces(5000, 100) }, never)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect([s.memory, files.open_.size]).toEqual([0, 0])
  })
})
