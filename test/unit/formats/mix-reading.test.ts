import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { uids, type Wants } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { never, WHOLE, type Box } from '../../../core/testing/box.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { DATA_OCTETS } from '../../../plugins/formats/mix/records.js'
import { countingFiles } from '../../support/counting-files.js'
import { deliverTo, directoryContext, familyHome, openBox, placeAt } from '../../support/directory-formats.js'
import { HeldClock } from '../../support/held-clock.js'

const files = new SystemFiles(await nativeLocks())
const format = (): MixFormat => new MixFormat(directoryContext(files))

async function control(folder: string, name: string): Promise<string> {
  return (await readFile(join(folder, `.mix${name}`))).toString('latin1')
}
async function dataFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((n) => /^\.mix[0-9a-f]{8}$/.test(n)).sort()
}

describe('mix: messages that are read one after the other', () => {
  let home = ''
  let path = ''
  beforeEach(async () => {
    home = await familyHome()
    path = join(home, 'box')
    await format().create(placeAt(path))
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  const bytesOf = async (box: Box, uid: number): Promise<Uint8Array | undefined> => (await box.read(uids.one(uid))).get(uid)
  const deliver = (from: number, count: number, open?: Box) => deliverTo(format(), path, Array.from({ length: count }, (_, i) => sampleMessage(from + i)), open)

  test('those that follow come out of the read of the second', async () => {
    await deliver(0, 20)
    const { files: counted, counts, reset } = countingFiles(files)
    const clock = new HeldClock()
    const box = await openBox(new MixFormat(directoryContext(counted, clock)), path)
    await box.refresh()
    await bytesOf(box, 1)
    await bytesOf(box, 2)
    reset()
    for (let uid = 3; uid <= 20; uid++) expect(await bytesOf(box, uid)).toEqual(sampleMessage(uid - 1).bytes)
    expect(counts()).toEqual({ calls: 0, octets: 0, names: 0 })
    // Nobody goes on asking: the octets are not kept.
    clock.pass()
    expect(await bytesOf(box, 3)).toEqual(sampleMessage(2).bytes)
    expect(counts()).toEqual({ calls: 3, octets: sampleMessage(2).bytes.length + DATA_OCTETS, names: 0 })
    await box.close()
  })

  test('of many, the next are read while the first are on their way', async () => {
    await deliverTo(format(), path, Array.from({ length: 100 }, (_, i) => ({ ...sampleMessage(i), bytes: Buffer.alloc(4000, 'x') })))
    const { files: counted, counts, reset } = countingFiles(files)
    const box = await openBox(new MixFormat(directoryContext(counted, new HeldClock())), path)
    await box.refresh()
    reset()
    const reading = box.source.read(box.uids, WHOLE, box.table.generation, never)[Symbol.asyncIterator]()
    const first = await reading.next()
    const count = first.done === true ? 0 : first.value.length
    expect({ some: count > 0, all: count === 100 }).toEqual({ some: true, all: false })
    await vi.waitFor(() => expect(counts().octets).toBe(100 * (4000 + DATA_OCTETS)))
    await reading.return?.()
    await box.close()
  })

  test('batches that are read into the same memory by turns have the octets of their own messages', async () => {
    const large = Array.from({ length: 900 }, (_, i) => ({ ...sampleMessage(i), bytes: Buffer.from(`number ${i} `.repeat(400)) }))
    await deliverTo(format(), path, large)
    const box = await openBox(format(), path)
    await box.refresh()
    let batches = 0
    let right = 0
    for await (const batch of box.source.read(box.uids, WHOLE, box.table.generation, never)) {
      batches++
      // What is read meanwhile goes elsewhere.
      await new Promise((resolve) => setTimeout(resolve, 10))
      for (const { uid, bytes } of batch) if (Buffer.from(bytes.inline ?? []).equals(large[uid - 1]?.bytes ?? Buffer.alloc(0))) right++
    }
    expect({ right, several: batches > 4 }).toEqual({ right: large.length, several: true })
    await box.close()
  })

  test('headers of long messages are read without what lies between, where they are in memory', async () => {
    const head = 'Subject: long\r\n\r\n'
    const long = Buffer.from(head + 'x'.repeat(8000))
    await deliverTo(format(), path, Array.from({ length: 50 }, (_, i) => ({ ...sampleMessage(i), bytes: long })))
    const { files: counted, counts, reset } = countingFiles(files)
    const box = await openBox(new MixFormat(directoryContext(counted)), path)
    await box.refresh()
    reset()
    const wants: Wants = { bytes: 'header', sections: [{ part: [], what: 'header', decoded: false }], facts: [] }
    const heads: string[] = []
    for await (const batch of box.source.read(box.uids, wants, box.table.generation, never)) {
      for (const { bytes, headerSize } of batch) {
        const into = Buffer.alloc(headerSize)
        await bytes.read(0, into, never)
        heads.push(into.toString())
      }
    }
    expect(heads).toEqual(Array.from({ length: 50 }, () => head))
    const together = 50 * (DATA_OCTETS + head.length)
    // Two batches, each up to its last header.
    const through = together + 48 * 8000
    expect(counts().octets).toBe((await nativeLocks())?.readNow === undefined ? through : together)
    await box.close()
  })

  test('what stands behind the last message that is known is not read along: it may come to nothing', async () => {
    await deliver(0, 3)
    const { files: counted, counts, reset } = countingFiles(files)
    const box = await openBox(new MixFormat(directoryContext(counted, new HeldClock())), path)
    await box.refresh()
    await bytesOf(box, 1)
    await deliver(3, 5)
    reset()
    await bytesOf(box, 2)
    const both = sampleMessage(1).bytes.length + sampleMessage(2).bytes.length + 2 * DATA_OCTETS
    // The lock of readers, one read, and the lock given back.
    expect(counts()).toEqual({ calls: 3, octets: both, names: 0 })
    await box.close()
  })

  test('numbers that begin anew do not give the messages of before', async () => {
    await deliver(0, 4)
    const box = await openBox(new MixFormat(directoryContext(files, new HeldClock())), path)
    await box.refresh()
    for (const uid of [1, 2, 3]) await bytesOf(box, uid)
    // Another program makes the mailbox anew in its place: the same numbers and sizes, other messages.
    const [data = ''] = await dataFiles(path)
    const other = await readFile(join(path, data))
    await writeFile(join(path, data), other.toString('latin1').replaceAll('message 2', 'MESSAGE 2'), 'latin1')
    const meta = await control(path, 'meta')
    await writeFile(join(path, '.mixmeta'), meta.replace(/^S.{8}/, 'S7fffffff').replace(/^V.{8}/m, 'V7fffffff'))
    await box.refresh()
    expect(Buffer.from((await bytesOf(box, 3)) ?? []).toString()).toContain('MESSAGE 2')
    await box.close()
  })
})
