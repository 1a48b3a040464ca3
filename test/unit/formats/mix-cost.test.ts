import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SYSTEM, uids } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { never, type Box } from '../../../core/testing/box.js'
import { octetsOf, sampleMessage } from '../../../core/testing/messages.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { countingFiles, type Counts } from '../../support/counting-files.js'
import { deliverTo, directoryContext, familyHome, openBox, placeAt } from '../../support/directory-formats.js'
import { steppingFiles } from '../../support/stepping-files.js'

const { files, counts, reset } = countingFiles(new SystemFiles(await nativeLocks()))
const format = new MixFormat(directoryContext(files))
const everySecond = uids.from(Array.from({ length: 100 }, (_, i) => 2 * i + 1))
/** Three locks, whether the mailbox is still the one that has the name, three heads, two places of the redo file, three locks given back. */
const LOCKED = 12
/** One entry of the redo file, written and synced in one call. */
const ENTRY = 1

describe('mix: calls for one change', () => {
  let home = ''
  let box: Box
  const path = (): string => join(home, 'box')
  beforeEach(async () => {
    home = await familyHome()
    await format.create(placeAt(path()))
    box = await openBox(format, path())
    await deliverTo(format, path(), Array.from({ length: 200 }, (_, n) => sampleMessage(n)), box)
    await box.store({ uids: uids.one(1), system: SYSTEM.seen })
  })
  afterEach(async () => {
    await box.close()
    await rm(home, { recursive: true, force: true })
  })
  /** Octets that index and flags have together: what of them stands between two places of a change is read, and written as it stands. */
  const between = async (): Promise<number> => {
    const sizes = await Promise.all(['.mixindex', '.mixstatus'].map(async (name) => (await files.stat(join(path(), name)))?.size ?? 0))
    return 2 * sizes.reduce((sum, size) => sum + size)
  }
  async function cost(work: () => Promise<unknown>): Promise<Counts> {
    reset()
    await work()
    return counts()
  }

  test('flags of one message: its line and the sequence, with what stands between them', async () => {
    const { calls, octets } = await cost(() => box.store({ uids: uids.one(77), system: SYSTEM.flagged }))
    // One read, one write.
    expect(calls).toBeLessThanOrEqual(LOCKED + ENTRY + 2)
    expect(octets).toBeLessThan(2 * 77 * 35 + 400)
  })
  test('flags of all messages: their lines at once', async () => {
    const { calls, octets } = await cost(() => box.store({ uids: uids.all, system: SYSTEM.answered }))
    expect(calls).toBeLessThanOrEqual(LOCKED + ENTRY + 2)
    // Lines of 35 octets, in the redo file and in their place.
    expect(octets).toBeLessThan(2 * 200 * 35 + 500)
  })
  test('flags of every second message: with the lines between them, as they stand', async () => {
    const status = async (): Promise<string[]> => (await readFile(join(path(), '.mixstatus'), 'latin1')).split('\r\n').slice(1)
    const before = await status()
    const { calls } = await cost(() => box.store({ uids: everySecond, system: SYSTEM.flagged }))
    expect(calls).toBeLessThanOrEqual(LOCKED + ENTRY + 3)
    const after = await status()
    expect(after.map((line, i) => (line === before[i] ? undefined : i + 1)).filter((uid) => uid !== undefined)).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i + 1))
    expect(after[0]).toMatch(/^:00000001:00000000:0005:/)
    expect(after[2]).toMatch(/^:00000003:00000000:0004:/)
  })
  test('an expunge of every second message', async () => {
    const { calls } = await cost(() => box.expunge(everySecond, { always: true }))
    // The first line is written twice, since what follows moves there.
    expect(calls).toBeLessThanOrEqual(LOCKED + ENTRY + 4)
    const anew = await openBox(format, path())
    await anew.refresh()
    expect(anew.rows.map((r) => r.uid)).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i + 2))
    expect(await anew.messages()).toHaveLength(100)
    await anew.close()
  })
  test('a message that arrives: its octets, and a line in two control files', async () => {
    const arriving = sampleMessage(300)
    await deliverTo(format, path(), [sampleMessage(299)], box)
    const { calls, octets } = await cost(() => deliverTo(format, path(), [arriving], box))
    // The data file is looked at, and written and synced in one call; metadata once, index and flags are read and written.
    expect(calls).toBeLessThanOrEqual(LOCKED + ENTRY + 2 + 5)
    expect(octets).toBeLessThan(arriving.bytes.length + (await between()) + 1000)
  })
  test('messages that arrive together cost no more calls', async () => {
    const { calls } = await cost(() => deliverTo(format, path(), Array.from({ length: 20 }, (_, n) => sampleMessage(300 + n)), box))
    expect(calls).toBeLessThanOrEqual(LOCKED + ENTRY + 2 + 5)
  })
  test('an expunge of one message: the line before it', async () => {
    const room = await between()
    const { calls, octets } = await cost(() => box.expunge(uids.one(77), { always: true }))
    expect(calls).toBeLessThanOrEqual(LOCKED + ENTRY + 2)
    expect(octets).toBeLessThan(room + 600)
  })
  test('in a large mailbox what stands between places far from each other is left alone', async () => {
    await deliverTo(format, path(), Array.from({ length: 1000 }, (_, n) => sampleMessage(n)), box)
    await box.store({ uids: uids.one(1150), system: SYSTEM.seen })
    const { calls, octets } = await cost(() => box.store({ uids: uids.one(1100), system: SYSTEM.flagged }))
    expect(calls).toBeLessThanOrEqual(LOCKED + ENTRY + 2)
    expect(octets).toBeLessThan(400)
  })

  test('a mailbox that is deleted: nothing of what somebody else may have left undone is read', async () => {
    const { octets } = await cost(() => format.remove(placeAt(path())))
    expect(octets).toBeLessThan(100)
    expect(await files.stat(path())).toBeUndefined()
  })

  test('a change here is no news here, and one elsewhere is', async () => {
    let told = 0
    const watching = box.source.watch?.(() => void told++)
    const other = await openBox(new MixFormat(directoryContext(new SystemFiles(await nativeLocks()))), path())
    await other.refresh()
    // Notices come one after the other: that of a file beside the mailbox's comes last.
    const heard = async (): Promise<number> => {
      const [before, mark] = [told, join(path(), 'mark')]
      await writeFile(mark, '')
      await vi.waitFor(() => expect(told).toBeGreaterThan(before))
      await rm(mark)
      await vi.waitFor(() => expect(told).toBeGreaterThan(before + 1))
      return told
    }
    await heard()
    told = 0
    await box.store({ uids: uids.one(5), system: SYSTEM.flagged })
    await box.expunge(uids.one(6), { always: true })
    await box.store({ uids: everySecond, system: SYSTEM.answered })
    // Made and removed; making tells twice where its time is set as well.
    const ofMark = await heard()
    expect(ofMark).toBeLessThanOrEqual(3)
    for (const change of [() => other.store({ uids: uids.one(7), system: SYSTEM.flagged }), () => other.expunge(uids.one(8), { always: true }), () => deliverTo(format, path(), [sampleMessage(500)])]) {
      const before = told
      await change()
      await vi.waitFor(() => expect(told).toBeGreaterThan(before))
    }
    watching?.[Symbol.dispose]()
    await other.close()
  })

  test('what another program adds, or does not finish, is seen', async () => {
    const other = await openBox(new MixFormat(directoryContext(files)), path())
    await other.refresh()
    await deliverTo(new MixFormat(directoryContext(files)), path(), [sampleMessage(400)], other)
    await box.store({ uids: uids.one(2), system: SYSTEM.flagged })
    expect(box.table.length).toBe(201)
    // One that makes room and is killed, as programs of the family do: the sequence is what it was.
    const index = await files.open(join(path(), '.mixindex'), { write: true })
    await index.truncate((await index.stat()).size + 500)
    await index.close()
    await deliverTo(format, path(), [sampleMessage(401)], box)
    await deliverTo(format, path(), [sampleMessage(402)], box)
    const anew = await openBox(format, path())
    await anew.refresh()
    expect(anew.rows.map((r) => r.uid)).toEqual(Array.from({ length: 203 }, (_, i) => i + 1))
    expect((await readFile(join(path(), '.mixindex'), 'latin1')).split('\r\n').filter((l) => l.startsWith(':'))).toHaveLength(203)
    await other.refresh({ claimRecent: true }, never)
    expect(other.rows.map((r) => r.uid)).toEqual(anew.rows.map((r) => r.uid))
    await anew.close()
    await other.close()
  })
})

/** Steps that wait for each other: what is asked at the same time is one. */
describe('mix: what a delivery waits for, step by step', () => {
  let home = ''
  const path = (): string => join(home, 'box')
  /** Some more than a mebibyte, for which there is a data file of its own each time. */
  const large = Array.from({ length: 300 }, (_, n) => sampleMessage(n, { bytes: octetsOf([`Subject: ${n}`, '', ...Array<string>(100).fill('a line of a message that is not short')]) }))
  beforeEach(async () => {
    home = await familyHome()
  })
  afterEach(() => rm(home, { recursive: true, force: true }))

  test('a new data file is made while messages are gathered, and written in one call beside the changes, whose file is made meanwhile too', async () => {
    const stepping = steppingFiles(new SystemFiles(await nativeLocks()))
    const formatOfSteps = new MixFormat(directoryContext(stepping.files))
    await formatOfSteps.create(placeAt(path()))
    const box = await openBox(formatOfSteps, path())
    await box.refresh()
    const taken: number[] = []
    for (let n = 0; n < 2; n++) {
      stepping.reset()
      await deliverTo(formatOfSteps, path(), large, box)
      taken.push(stepping.steps())
    }
    await box.close()
    // Two looks, whether it is still the mailbox and at the data file for new messages; that or the next one opened and looked at; written; control files. At first there is a look for the file of changes.
    expect(taken).toEqual([8, 6])
  })
})
