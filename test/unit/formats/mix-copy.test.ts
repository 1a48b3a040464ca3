import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type TakenMessage, type UidSet } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { never, type Box } from '../../../core/testing/box.js'
import { sampleMessage, type SampleMessage } from '../../../core/testing/messages.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { countingFiles } from '../../support/counting-files.js'
import { deliverTo, directoryContext, familyHome, openBox, placeAt } from '../../support/directory-formats.js'

const files = new SystemFiles(await nativeLocks())
const format = (): MixFormat => new MixFormat(directoryContext(files))
/** Empty header, no header's end, larger than one piece, and ordinary ones. */
const texts = ['\r\nno header\r\n', 'Subject: no text\r\n', `Subject: large\r\n\r\n${'0123456789abcdef'.repeat(1 << 17)}\r\n`, 'Subject: a\r\n\r\na\r\n', 'Subject: b\r\n\r\nb\r\n']
const messages: readonly SampleMessage[] = texts.map((text, n) => ({ ...sampleMessage(n), bytes: Buffer.from(text) }))

const range = (first: number, count: number): UidSet => uids.ranges(Uint32Array.of(first, first + count - 1))

describe('COPY between mix mailboxes', () => {
  let home = ''
  let from: Box
  const path = (name: string): string => join(home, name)
  beforeEach(async () => {
    home = await familyHome()
    for (const name of ['from', 'to']) await format().create(placeAt(path(name)))
    from = await openBox(format(), path('from'))
    for (const message of messages) await deliverTo(format(), path('from'), [message], from)
    await from.refresh()
  })
  afterEach(async () => {
    await from.close()
    await rm(home, { recursive: true, force: true })
  })
  /** As core gives them. */
  function taken(set: UidSet): TakenMessage[] {
    const rows = from.table.generation
    return [...rows.uid.subarray(0, from.table.length)].filter((uid) => set.has(uid)).map((uid) => {
      const row = rows.find(uid)
      const { system, keywords } = rows.flagSets[rows.flags[row] ?? 0] ?? { system: 0, keywords: [] }
      return { uid, system, keywords, date: { ms: rows.date[row] ?? 0, zone: rows.zone[row] ?? 0 } }
    })
  }
  async function copy(set: UidSet, to: Box | undefined, changes: readonly TakenMessage[] = taken(set)): Promise<readonly number[]> {
    const delivery = await format().append(placeAt(to?.path ?? path('to')))
    expect(await delivery.take?.(from.source, changes, from.table.generation, never)).toBe(true)
    const result = to === undefined ? await delivery.commit(undefined, never) : await to.edit((edit) => delivery.commit({ source: to.source, edit }, never))
    return [...(result?.uids.ranges ?? [])]
  }
  const told = async (box: Box): Promise<unknown[]> => (await box.messages()).map((m, i) => ({ ...m, uid: i, bytes: Buffer.from(m.bytes).toString('latin1') }))

  test.each(['an open mailbox', 'a closed mailbox'])('octets, dates and flags stay the same, into %s', async (kind) => {
    await from.store({ uids: uids.from([2, 4]), system: SYSTEM.flagged, keywords: ['work'] })
    const to = kind === 'an open mailbox' ? await openBox(format(), path('to')) : undefined
    await to?.refresh()
    expect(await copy(from.uids, to)).toEqual([1, messages.length])
    const anew = await openBox(format(), path('to'))
    await anew.refresh()
    expect(await told(anew)).toEqual(await told(from))
    if (to !== undefined) {
      expect(await told(to)).toEqual(await told(from))
      expect(to.rows).toEqual(anew.rows)
    }
    await to?.close()
    await anew.close()
    // Headers end where they ended, for programs that read them by the index.
    const fields = async (name: string): Promise<string[]> => (await readFile(join(path(name), '.mixindex'), 'latin1')).split('\r\n').slice(1, -1).map((l) => l.split(':').slice(7, 9).join(' '))
    expect(await fields('to')).toEqual(await fields('from'))
  })

  test('some of them, out of several data files, and into the mailbox itself', async () => {
    await from.expunge(uids.one(4), { always: true })
    expect(await copy(uids.from([1, 3, 5]), from)).toEqual([6, 8])
    const read = new Map((await from.messages()).map(({ uid, bytes }) => [uid, Buffer.from(bytes).toString('latin1')]))
    expect([6, 7, 8].map((uid) => read.get(uid))).toEqual([0, 2, 4].map((n) => texts[n]))
    expect((await readdir(path('from'))).filter((n) => /^\.mix[0-9a-f]{8}$/.test(n)).length).toBeGreaterThan(1)
  })

  test('every second message, and the rest, in another order than they came', async () => {
    const small = Array.from({ length: 40 }, (_, n) => sampleMessage(n))
    await deliverTo(format(), path('from'), small, from)
    const there = new Map((await from.messages()).map(({ uid, bytes }) => [uid, Buffer.from(bytes).toString('latin1')]))
    const odd = uids.from([...there.keys()].filter((uid) => uid % 2 === 1))
    const even = uids.from([...there.keys()].filter((uid) => uid % 2 === 0))
    const to = await openBox(format(), path('to'))
    await to.refresh()
    for (const set of [odd, even]) await copy(set, to)
    const expected = [odd, even].flatMap((set) => [...there].filter(([uid]) => set.has(uid)).map(([, text]) => text))
    expect((await to.messages()).map(({ bytes }) => Buffer.from(bytes).toString('latin1'))).toEqual(expected)
    await to.close()
  })

  test('in many pieces, of several data files, with room between the messages and a large one among them', async () => {
    const sizes = [700_000, 900_000, 30_000, 400_000, 2_500_000, 1, 650_000, 1_400_000, 20_000, 800_000, 300_000, 1_100_000]
    const large = sizes.map((size, n): SampleMessage => ({ ...sampleMessage(n), bytes: Buffer.concat([Buffer.from(`Subject: ${n}\r\n\r\n`), Buffer.alloc(size, `text ${n} of some `)]) }))
    for (let n = 0; n < large.length; n += 4) await deliverTo(format(), path('from'), large.slice(n, n + 4), from)
    const first = messages.length + 1
    await from.expunge(uids.from([first + 2, first + 8]), { always: true })
    const to = await openBox(format(), path('to'))
    await to.refresh()
    await copy(from.uids, to)
    expect(await told(to)).toEqual(await told(from))
    // What nobody finds where it should be comes to light in the last piece.
    const held = (await readdir(path('from'))).filter((n) => /^\.mix[0-9a-f]{8}$/.test(n)).sort().at(-1) ?? ''
    const octets = await readFile(join(path('from'), held))
    const at = octets.lastIndexOf(':msg:')
    octets.write(':gone', at)
    await writeFile(join(path('from'), held), octets)
    const before = await told(to)
    const octetsOf = async (): Promise<number[]> => (await Promise.all((await readdir(path('to'))).map(async (n) => (await stat(join(path('to'), n))).size))).filter((size) => size > 0)
    const arrived = await octetsOf()
    await expect(copy(from.uids, to)).rejects.toMatchObject({ kind: 'vanished' })
    expect(await octetsOf()).toEqual(arrived)
    await to.refresh()
    expect(await told(to)).toEqual(before)
    await to.close()
  })
  test('several at the same time, and again in the same memory: each gets its own octets', async () => {
    const large = Array.from({ length: 12 }, (_, n): SampleMessage => ({ ...sampleMessage(n), bytes: Buffer.concat([Buffer.from(`Subject: ${n}\r\n\r\n`), Buffer.alloc(150_000 + 40_000 * n, `text ${n} of some `)]) }))
    await deliverTo(format(), path('from'), large, from)
    const there = (await from.messages()).map(({ uid, bytes }) => ({ uid, text: Buffer.from(bytes).toString('latin1') }))
    const boxes: Box[] = []
    for (let n = 0; n < 4; n++) {
      await format().create(placeAt(path(`to${n}`)))
      boxes.push(await openBox(format(), path(`to${n}`)))
    }
    const shareOf = (n: number): typeof there => there.filter(({ uid }) => uid % boxes.length === n)
    for (let round = 0; round < 3; round++) await Promise.all(boxes.map((box, n) => copy(uids.from(shareOf(n).map(({ uid }) => uid)), box)))
    for (const [n, box] of boxes.entries()) {
      await box.refresh()
      const texts = shareOf(n).map(({ text }) => text)
      // Octets of a megabyte are compared as such: a difference would be printed for minutes.
      expect((await box.messages()).map(({ bytes }, i) => Buffer.from(bytes).toString('latin1') === texts[i % texts.length])).toEqual(Array.from({ length: 3 * texts.length }, () => true))
      await box.close()
    }
  })
  test('what somebody moved or expunged meanwhile is vanished, and nothing arrives', async () => {
    const delivery = await format().append(placeAt(path('to')))
    expect(await delivery.take?.(from.source, taken(from.uids), from.table.generation, never)).toBe(true)
    const other = await openBox(format(), path('from'))
    await other.refresh()
    await other.expunge(uids.from([1, 2, 3]), { always: true })
    await other.source.reclaim?.(never)
    await other.close()
    const sizes = async (): Promise<number[]> => Promise.all((await readdir(path('to'))).filter((n) => n !== '.mixredo').sort().map(async (n) => (await stat(join(path('to'), n))).size))
    const before = await sizes()
    await expect(delivery.commit(undefined, never)).rejects.toMatchObject({ kind: 'vanished' })
    expect(await sizes()).toEqual(before)
  })

  test('a message that the rows do not have is not taken, nor one of another format', async () => {
    const delivery = await format().append(placeAt(path('to')))
    const gone: TakenMessage = { uid: 77, system: 0, keywords: [], date: { ms: 0, zone: 0 } }
    expect(await delivery.take?.(from.source, [...taken(from.uids), gone], from.table.generation, never)).toBe(false)
    await delivery.abort()
  })

  test('calls do not grow with the number of messages', async () => {
    const small = Array.from({ length: 200 }, (_, n) => sampleMessage(n))
    await deliverTo(format(), path('from'), small, from)
    const counted = countingFiles(files)
    const over = new MixFormat(directoryContext(counted.files))
    const [source, to] = [await openBox(over, path('from')), await openBox(over, path('to'))]
    await source.refresh()
    await to.refresh()
    const calls = async (set: UidSet): Promise<number> => {
      const delivery = await over.append(placeAt(path('to')))
      counted.reset()
      expect(await delivery.take?.(source.source, taken(set), source.table.generation, never)).toBe(true)
      await to.edit((edit) => delivery.commit({ source: to.source, edit }, never))
      return counted.counts().calls
    }
    const first = messages.length + 1
    await calls(range(first, 10))
    const ten = await calls(range(first, 10))
    expect(await calls(range(first, 200))).toBeLessThanOrEqual(ten + 3)
    // What lies between them is read along.
    expect(await calls(uids.from(Array.from({ length: 100 }, (_, i) => first + 2 * i)))).toBeLessThanOrEqual(ten + 3)
    await source.close()
    await to.close()
  })
})
