import { describe, expect, test } from 'vitest'
import { decodeRecords, encodeRecord, type JournalRecord } from '../../../core/mail/journal/records.js'
import { CRASH_MODES, afterCrash } from '../../../core/testing/disk/crash.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { change, disk, flags, homes, serverProcess } from '../../support/journalled.js'
import { listOf, never, setOf, testSettings } from '../../support/mail.js'
import { TextDisk } from '../../support/mail-text-source.js'

describe('records', () => {
  const records: JournalRecord[] = [
    { t: 'head', key: 'k', uidValidity: 7, floor: 1 },
    { t: 'flags', u: [1, 4, 9, 9], h: 'add', s: 3, k: ['$a'] },
    { t: 'folded' },
    { t: 'high', m: 12 },
  ]
  test('every torn end leaves the whole records before it', () => {
    const parts = records.map(encodeRecord)
    const whole = Buffer.concat(parts)
    for (let cut = 0; cut <= whole.length; cut++) {
      let end = 0
      let count = 0
      while (count < parts.length && end + parts[count]!.length <= cut) end += parts[count++]!.length
      expect(decodeRecords(whole.subarray(0, cut))).toEqual({ records: records.slice(0, count), end })
    }
  })
  test('a damaged record ends the journal before it', () => {
    const whole = Buffer.concat(records.map(encodeRecord))
    const first = encodeRecord(records[0]!).length
    whole[first + 12]! ^= 0x20
    expect(decodeRecords(whole)).toEqual({ records: records.slice(0, 1), end: first })
  })
})

describe('flag changes of a source with checkpoint', () => {
  test('are acknowledged from the journal and folded in after the delay', async () => {
    const d = disk([1, 0], [2, 0])
    const p = serverProcess(await homes())
    const m = await p.open(d)
    await m.store(change('add', 1, 1, 2), undefined, never)
    expect([flags(m), d.messages.get(1)!.system]).toEqual([{ 1: 1, 2: 1 }, 0])
    p.clock.advance(testSettings.checkpointDelayMs + 1)
    await m.inTurn(async () => undefined)
    await m.inTurn(async () => undefined)
    expect([d.messages.get(1)!.system, d.messages.get(2)!.system, d.checkpoints]).toEqual([1, 1, 1])
    await p.registry[Symbol.asyncDispose]()
    expect(d.checkpoints).toBe(1)
    expect(p.logger.lines).toEqual([])
  })
  test('are laid over what others did to the same messages, which nobody is told as a change and back', async () => {
    const d = disk([1, 0], [2, 0], [3, 0])
    const p = serverProcess(await homes())
    const m = await p.open(d)
    await m.store(change('add', 1, 1, 2), undefined, never)
    d.messages.get(1)!.system = 4
    d.messages.get(3)!.system = 8
    d.version++
    await m.refresh(never)
    expect(flags(m)).toEqual({ 1: 5, 2: 1, 3: 8 })
    await m.checkpoint(never)
    expect([...d.messages.values()].map((x) => x.system)).toEqual([5, 1, 8])
    await p.registry[Symbol.asyncDispose]()
  })
  test('a file that changes during the checkpoint is written again', async () => {
    const d = disk([1, 0])
    const p = serverProcess(await homes())
    const m = await p.open(d)
    await m.store(change('add', 1, 1), undefined, never)
    d.interfere = () => {
      d.messages.get(1)!.system = 4
      d.version++
    }
    await m.checkpoint(never)
    expect([d.messages.get(1)!.system, d.checkpoints, flags(m)]).toEqual([5, 2, { 1: 5 }])
    await p.registry[Symbol.asyncDispose]()
  })
  test('\\Deleted from the journal is seen by EXPUNGE, also when the file changed', async () => {
    const d = disk([1, 0], [2, 0])
    const p = serverProcess(await homes())
    const m = await p.open(d)
    await m.store(change('add', 2, 1), undefined, never)
    d.messages.get(2)!.system = 4
    d.version++
    expect(listOf(await m.expunge(setOf(1, 2), false, never))).toEqual([1])
    expect([...d.messages.keys()]).toEqual([2])
    await p.registry[Symbol.asyncDispose]()
  })
  test('a change that the journal cannot hold is kept when the mailbox takes it, and refused when that is full too', async () => {
    const files = await homes()
    const d = disk([1, 0])
    const p = serverProcess(files)
    const m = await p.open(d)
    await m.store(change('add', 4, 1), undefined, never)
    files.fault = { at: files.log.length, code: 'ENOSPC', lasting: true }
    await m.store(change('add', 1, 1), undefined, never)
    expect(d.messages.get(1)!.system).toBe(5)
    d.full = true
    await expect(m.store(change('add', 8, 1), undefined, never)).rejects.toMatchObject({ kind: 'unavailable' })
    files.fault = undefined
    d.full = false
    await p.registry[Symbol.asyncDispose]()
  })
  test('are dropped when the numbers mean other messages (UIDVALIDITY)', async () => {
    const files = await homes()
    const d = disk([1, 0])
    const p = serverProcess(files)
    const m = await p.open(d)
    await m.store(change('add', 1, 1), undefined, never)
    const crashed = new VirtualFiles(files.disk)
    const other = disk([1, 0])
    other.uidValidity = 8
    const q = serverProcess(crashed)
    expect(flags(await q.open(other))).toEqual({ 1: 0 })
    expect(other.checkpoints).toBe(0)
    await q.registry[Symbol.asyncDispose]()
    await p.registry[Symbol.asyncDispose]()
  })
  test('without a home they go to the mailbox at once', async () => {
    const d = disk([1, 0])
    const p = serverProcess(await homes(), { settings: { ...testSettings, stateDirectory: 'nowhere' } })
    expect(p.keeper).toBeUndefined()
    const m = await p.open(d)
    await m.store(change('add', 1, 1), undefined, never)
    expect(d.messages.get(1)!.system).toBe(1)
    await p.registry[Symbol.asyncDispose]()
  })
})

describe('after a crash', () => {
  test.each(CRASH_MODES)('at any write (%s), what was acknowledged is there', async (mode) => {
    const files = await homes()
    const d = disk([1, 0], [2, 0], [3, 0])
    const disks: { at: number; disk: TextDisk }[] = [{ at: 0, disk: d.clone() }]
    const p = serverProcess(files)
    const m = await p.open(d)
    d.changing = () => queueMicrotask(() => disks.push({ at: files.log.length, disk: d.clone() }))
    const acknowledged: { at: number; state: Record<number, number> }[] = [{ at: 0, state: { 1: 0, 2: 0, 3: 0 } }]
    const random = new SeededRandom(11)
    const bits = [1, 2, 4, 8]
    for (let i = 0; i < 12; i++) {
      if (i === 5) await m.checkpoint(never)
      else await m.store(change(i % 3 === 2 ? 'remove' : i === 8 ? 'replace' : 'add', bits[random.below(4)]!, 1 + random.below(3), 1 + random.below(3)), undefined, never)
      acknowledged.push({ at: files.log.length, state: flags(m) })
    }
    for (let count = 0; count <= files.log.length; count++) {
      const after = new VirtualFiles(afterCrash(files.start, files.log, count, mode, new SeededRandom(count)))
      const then = disks.findLast((x) => x.at <= count)!.disk.clone()
      const q = serverProcess(after)
      const again = await q.open(then)
      const last = acknowledged.findLastIndex((a) => a.at <= count)
      const allowed = acknowledged.slice(last, last + 2).map((a) => a.state)
      expect(allowed, `crash after ${count} writes`).toContainEqual(flags(again))
      await q.registry[Symbol.asyncDispose]()
      expect(q.logger.lines, `crash after ${count} writes`).toEqual([])
      expect(Object.fromEntries([...then.messages].map(([uid, x]) => [uid, x.system]))).toEqual(flags(again))
      expect([...after.open_]).toEqual([])
    }
    await p.registry[Symbol.asyncDispose]()
  })
  test.each(CRASH_MODES)('what was refused, since neither the journal nor the mailbox took it, does not come back (%s)', async (mode) => {
    const files = await homes()
    const d = disk([1, 0])
    const p = serverProcess(files)
    const m = await p.open(d)
    await m.store(change('add', 4, 1), undefined, never)
    await m.checkpoint(never)
    // The whole of the record arrives, and the disk says no.
    const journal = [...files.open_].find(({ path }) => path.endsWith('/journal'))!
    const file = journal as { write: typeof journal.write }
    const write = journal.write.bind(journal)
    file.write = async (chunks, at) => {
      await write(chunks, at)
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    d.full = true
    await expect(m.store(change('add', 1, 1), undefined, never)).rejects.toMatchObject({ kind: 'unavailable' })
    for (let seed = 0; seed < 40; seed++) {
      const q = serverProcess(new VirtualFiles(afterCrash(files.start, files.log, files.log.length, mode, new SeededRandom(seed))))
      const then = d.clone()
      expect(flags(await q.open(then)), `seed ${seed}`).toEqual({ 1: 4 })
      await q.registry[Symbol.asyncDispose]()
    }
  })
  test.each(CRASH_MODES)('at any write (%s) of a journal that is written anew, since nothing waits in it and it had grown, nothing is laid over newer flags', async (mode) => {
    const files = await homes()
    const odd = Array.from({ length: 4000 }, (_, i) => 2 * i + 1)
    const d = disk(...odd.map((uid) => [uid, 0] as const))
    const p = serverProcess(files)
    const m = await p.open(d)
    const journal = [...files.open_].find(({ path }) => path.endsWith('/journal'))!
    const size = async (): Promise<number> => (await files.stat(journal.path))!.size
    let grown = 0
    for (const system of [1, 4]) await m.store(change('add', system, ...odd), undefined, never)
    for (let round = 0; grown < 64 * 1024; round++) {
      await m.store(change(round % 2 === 0 ? 'add' : 'remove', 8, ...odd.filter((_, i) => i % 2 === 0)), undefined, never)
      grown = await size()
    }
    const written = files.log.length
    await m.checkpoint(never)
    expect(await size()).toBeLessThan(1024)
    const done = files.log.length
    // Others change the mailbox after that.
    for (const message of d.messages.values()) message.system = 2
    d.version++
    for (let count = written; count <= done; count++) {
      const after = new VirtualFiles(afterCrash(files.start, files.log, count, mode, new SeededRandom(count)))
      const q = serverProcess(after)
      const again = await q.open(d.clone())
      // Until it is written anew all of it waits; never a part.
      const waits = Object.values(flags(again)).every((system) => (system & 7) === 7)
      expect(waits || Object.values(flags(again)).every((system) => system === 2), `crash after ${count} writes`).toBe(true)
      if (count === done) expect(waits).toBe(false)
      expect(again.table.highestModseq).toBeGreaterThan(m.table.highestModseq)
      await q.registry[Symbol.asyncDispose]()
      expect(q.logger.lines, `crash after ${count} writes`).toEqual([])
      expect([...after.open_]).toEqual([])
    }
    await m.refresh(never)
    await m.store(change('add', 8, 1), undefined, never)
    const q = serverProcess(new VirtualFiles(files.disk))
    expect(flags(await q.open(d.clone()))[1]).toBe(10)
    await q.registry[Symbol.asyncDispose]()
    await p.registry[Symbol.asyncDispose]()
  })
})
