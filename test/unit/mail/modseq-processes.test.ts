import { describe, expect, test } from 'vitest'
import type { FlagChange, MailboxSettings } from '../../../core/api/index.js'
import { figuresOf } from '../../../core/mail/access/figures.js'
import { SegmentPool } from '../../../core/mail/cache/fact-store.js'
import { SourceRegistry } from '../../../core/mail/registry/registry.js'
import { stateKeeper } from '../../../core/mail/registry/state-folders.js'
import { TableView } from '../../../core/mail/view/view.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { QuietLogger, StillClock, alice, never, setOf, testSettings } from '../../support/mail.js'
import { nobodysLogin, place } from '../../support/mail-table.js'
import { TextDisk } from '../../support/mail-text-source.js'

const flag = (system: number, ...list: number[]): FlagChange => ({ uids: setOf(...list), how: 'add', system, keywords: [] })
async function scene(settings: MailboxSettings = testSettings) {
  const files = new VirtualFiles()
  await files.makeDirectory('/home', 0o755)
  await files.makeDirectory('/home/alice', 0o755)
  const disk = new TextDisk()
  for (const uid of [1, 2, 3]) disk.messages.set(uid, { system: 0, keywords: [] })
  /** One process after the other opens the mailbox; they know nothing of each other. */
  const process = (clock: StillClock) => {
    const logger = new QuietLogger()
    const registry = new SourceRegistry(clock, logger)
    const keeper = stateKeeper({ files, settings, clock, logger, pool: new SegmentPool() }, place.at, alice)
    return {
      registry,
      open: async () => {
        const m = await registry.acquire(disk.found(), settings, keeper, never)
        m.writers++
        await m.refresh(never)
        const view = new TableView(m, place, false, nobodysLogin)
        return { m, view, left: () => registry.release(m) }
      },
    }
  }
  return { files, disk, process }
}

describe('a mailbox that two processes have open', () => {
  test('has them in the first alone, also when that cannot write its journal any more; it tries again later', async () => {
    const { files, disk, process } = await scene()
    const clock = new StillClock()
    const [a, b] = [process(clock), process(clock)]
    const first = await a.open()
    await first.m.store(flag(1, 1), undefined, never)
    await first.m.checkpoint(never)
    disk.uidValidity = 8
    disk.version++
    const open = files.open.bind(files)
    files.open = (path, how) => (path.endsWith('/journal.new') ? Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })) : open(path, how))
    await first.m.refresh(never)
    const second = await b.open()
    expect([first.m.table.toldModseq > 0, second.m.table.toldModseq]).toEqual([true, 0])
    await first.m.store(flag(4, 2), undefined, never)
    expect(disk.messages.get(2)!.system).toBe(4)
    files.open = open
    clock.advance(30_000)
    await first.m.refresh(never)
    await first.m.store(flag(2, 2), undefined, never)
    // In the journal again.
    expect(disk.messages.get(2)!.system).toBe(4)
    await a.registry[Symbol.asyncDispose]()
    expect(disk.messages.get(2)!.system).toBe(6)
    await b.registry[Symbol.asyncDispose]()
  })
  test('has mod-sequences in the one with the journal alone: those of the other would be told out of order (RFC 7162 §3.1.2.2)', async () => {
    const { disk, process } = await scene()
    const [a, b] = [process(new StillClock()), process(new StillClock(Date.UTC(2027, 0, 1)))]
    const first = await a.open()
    const told = first.view.highestModseq
    const second = await b.open()
    expect([told > 0, second.view.highestModseq, figuresOf(second.m.table, place.at).highestModseq]).toEqual([true, 0, 0])
    // What the other one does is news here, with a higher number.
    await second.m.store(flag(4, 2), undefined, never)
    expect(disk.messages.get(2)!.system).toBe(4)
    await first.m.refresh(never)
    expect(first.view.highestModseq).toBe(told + 1)
    expect(first.m.table.generation.modseq[1]).toBe(told + 1)
    await b.registry[Symbol.asyncDispose]()
    await a.registry[Symbol.asyncDispose]()
    // Rows that the other one kept do not count as those of the journal.
    const c = await process(new StillClock()).open()
    expect(c.view.highestModseq).toBeGreaterThan(told)
  })
  test('has them in the other too, when it is opened again after the first has left', async () => {
    const { process } = await scene()
    const clock = new StillClock()
    const [a, b] = [process(clock), process(clock)]
    const first = await a.open()
    const second = await b.open()
    const told = first.view.highestModseq
    await a.registry[Symbol.asyncDispose]()
    clock.advance(40_000)
    second.left()
    const again = await b.open()
    expect(again.view.highestModseq).toBeGreaterThanOrEqual(told)
    await b.registry[Symbol.asyncDispose]()
  })
  test('has them in the other too from its first look after the first has left: above all that the first told, and in no session that was told it has none', async () => {
    const { disk, process } = await scene()
    const clock = new StillClock()
    // Its numbers are far ahead.
    const [a, b] = [process(new StillClock(Date.UTC(2027, 0, 1))), process(clock)]
    const first = await a.open()
    const second = await b.open()
    await first.m.store(flag(1, 1), undefined, never)
    const told = first.view.highestModseq
    await second.m.store(flag(4, 2), undefined, never)
    const removed = await second.m.expunge(setOf(3), true, never)
    expect([removed.count, second.view.highestModseq, figuresOf(second.m.table, place.at).highestModseq]).toEqual([1, 0, 0])
    await a.registry[Symbol.asyncDispose]()
    await second.m.refresh(never)
    const view = new TableView(second.m, place, false, nobodysLogin)
    expect([second.view.highestModseq, view.highestModseq > told]).toEqual([0, true])
    // Whoever was told that before misses nothing of what this process did.
    for (let row = 0; row < 2; row++) expect(second.m.table.generation.modseq[row]).toBeGreaterThan(told)
    expect((await second.m.vanished(told, setOf(1, 2, 3), never)).count).toBe(1)
    await second.m.store(flag(8, 1), undefined, never)
    // In the journal, now that it has it.
    expect(disk.messages.get(1)!.system).toBe(1)
    const last = view.highestModseq
    await b.registry[Symbol.asyncDispose]()
    const again = await process(clock).open()
    expect(again.view.highestModseq).toBe(last)
    expect((await again.m.vanished(told, setOf(1, 2, 3), never)).count).toBe(1)
  })
  test('has none in the other while the first is there, however often it looks, and the journal has no room when it has left: later it has', async () => {
    const { files, process } = await scene()
    const clock = new StillClock()
    const [a, b] = [process(clock), process(clock)]
    await a.open()
    const second = await b.open()
    for (let i = 0; i < 3; i++) await second.m.refresh(never)
    expect(second.m.table.toldModseq).toBe(0)
    await a.registry[Symbol.asyncDispose]()
    const open = files.open.bind(files)
    files.open = (path, how) => (path.endsWith('/journal.new') ? Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })) : open(path, how))
    await second.m.refresh(never)
    expect(second.m.table.toldModseq).toBe(0)
    files.open = open
    clock.advance(30_000)
    await second.m.refresh(never)
    expect(second.m.table.toldModseq).toBeGreaterThan(0)
    await b.registry[Symbol.asyncDispose]()
  })
  test('and of whose numbers nothing is kept: what one does after the other was left has a higher number than that told', async () => {
    const { disk, process } = await scene({ ...testSettings, stateDirectory: 'nowhere' })
    const clock = new StillClock()
    const [a, b] = [process(clock), process(clock)]
    const first = await a.open()
    clock.advance(60_000)
    const second = await b.open()
    const told = second.view.highestModseq
    expect(told).toBeGreaterThan(first.view.highestModseq)
    clock.advance(1000)
    // The client goes to the first process, which finds a change of another program.
    disk.messages.get(3)!.system = 8
    disk.version++
    await first.m.refresh(never)
    expect(first.m.table.generation.modseq[2]).toBeGreaterThan(told)
    await a.registry[Symbol.asyncDispose]()
    await b.registry[Symbol.asyncDispose]()
  })
})
