import { describe, expect, test } from 'vitest'
import { uids } from '../../../core/api/index.js'
import { CRASH_MODES, afterCrash } from '../../../core/testing/disk/crash.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { SeededRandom } from '../../../core/testing/random.js'
import { change, disk as mailboxOf, homes, serverProcess } from '../../support/journalled.js'
import { StillClock, never } from '../../support/mail.js'
import { TextDisk } from '../../support/mail-text-source.js'

const LATER = Date.UTC(2026, 0, 2)
/** A battery that went flat. */
const EARLIER = Date.UTC(2000, 0, 1)

const server = (files: VirtualFiles, now: number) => serverProcess(files, { clock: new StillClock(now) })
const filled = (): TextDisk => mailboxOf([1, 0], [2, 0], [3, 0])
function arrive(disk: TextDisk, uid: number): void {
  disk.messages.set(uid, { system: 0, keywords: [] })
  disk.version++
}

/** What a session is told, at each point of the log of the files. */
interface Told {
  readonly at: number
  readonly highest: number
}
async function session(files: VirtualFiles, disk: TextDisk): Promise<{ readonly told: readonly Told[]; readonly disks: readonly { readonly at: number; readonly disk: TextDisk }[] }> {
  const told: Told[] = []
  const disks = [{ at: 0, disk: disk.clone() }]
  const p = server(files, LATER)
  const m = await p.open(disk)
  // As the loop of a session does: whatever it hears of is told at once.
  const tell = (): void => void told.push({ at: files.log.length, highest: m.table.highestModseq })
  m.listen(tell)
  tell()
  const steps: readonly (() => Promise<unknown> | void)[] = [
    () => arrive(disk, 4),
    () => m.refresh(never),
    () => m.store(change('add', 1, 1), undefined, never),
    () => m.store(change('add', 4, 2, 3), undefined, never),
    () => m.checkpoint(never),
    () => m.expunge(uids.from([3]), true, never),
    () => arrive(disk, 5),
    () => m.refresh(never),
    () => m.store(change('remove', 1, 1), undefined, never),
  ]
  for (const step of steps) {
    await step()
    disks.push({ at: files.log.length, disk: disk.clone() })
    tell()
  }
  return { told, disks }
}

describe('after a crash, with a clock that was set back', () => {
  test.each(CRASH_MODES)('no mod-sequence is below one that was told: %s', async (mode) => {
    const files = await homes()
    const disk = filled()
    const before = server(files, LATER - 3_600_000)
    const first = await before.open(disk)
    await first.store(change('add', 2, 2), undefined, never)
    before.registry.release(first)
    await before.registry[Symbol.asyncDispose]()
    const running = new VirtualFiles(files.disk)
    const { told, disks } = await session(running, disk)
    for (let count = 0; count <= running.log.length; count++) {
      const after = new VirtualFiles(afterCrash(running.start, running.log, count, mode, new SeededRandom(count)))
      const heard = Math.max(...told.filter(({ at }) => at <= count).map(({ highest }) => highest), 0)
      const found = disks.findLast(({ at }) => at <= count)!.disk.clone()
      const q = server(after, EARLIER)
      const m = await q.open(found)
      expect(m.table.highestModseq, `crash after ${count} writes`).toBeGreaterThanOrEqual(heard)
      // What happens from now on is news to whoever was told that.
      arrive(found, 9)
      await m.refresh(never)
      expect(m.table.generation.modseq[m.table.length - 1], `crash after ${count} writes`).toBeGreaterThan(heard)
      await q.registry[Symbol.asyncDispose]()
      expect(q.logger.lines).toEqual([])
    }
  })
  test.each(CRASH_MODES)('the same in a mailbox that was opened for the first time: %s', async (mode) => {
    const files = await homes()
    const { told, disks } = await session(files, filled())
    for (let count = 0; count <= files.log.length; count++) {
      const heard = Math.max(...told.filter(({ at }) => at <= count).map(({ highest }) => highest), 0)
      const q = server(new VirtualFiles(afterCrash(files.start, files.log, count, mode, new SeededRandom(count))), EARLIER)
      const m = await q.open(disks.findLast(({ at }) => at <= count)!.disk.clone())
      expect(m.table.highestModseq, `crash after ${count} writes`).toBeGreaterThanOrEqual(heard)
      await q.registry[Symbol.asyncDispose]()
    }
  })
  test('the same where the rows of last time are lost, and nothing is in the mailbox', async () => {
    const files = await homes()
    const disk = filled()
    const p = server(files, LATER)
    const m = await p.open(disk)
    await m.expunge(uids.all, true, never)
    const told = m.table.highestModseq
    const q = server(new VirtualFiles(files.disk), EARLIER)
    expect((await q.open(disk)).table.highestModseq).toBeGreaterThanOrEqual(told)
    await q.registry[Symbol.asyncDispose]()
  })
})

describe('the journal', () => {
  test('a mailbox that is opened and closed, with nothing new, is not written to, and keeps its number', async () => {
    const files = await homes()
    const disk = filled()
    const seen: number[] = []
    for (let i = 0; i < 2; i++) {
      const p = server(files, LATER + i)
      seen.push((await p.open(disk)).table.highestModseq)
      await p.registry[Symbol.asyncDispose]()
    }
    const quiet = new VirtualFiles(files.disk)
    const p = server(quiet, LATER + 9)
    seen.push((await p.open(disk)).table.highestModseq)
    await p.registry[Symbol.asyncDispose]()
    expect(seen).toEqual([seen[0], seen[0], seen[0]])
    expect(quiet.log).toEqual([])
  })
  test('is written to once for many changes of a session', async () => {
    const files = await homes()
    const disk = filled()
    const p = server(files, LATER)
    const m = await p.open(disk)
    await m.refresh(never)
    const before = files.log.length
    for (let uid = 4; uid < 14; uid++) {
      arrive(disk, uid)
      await m.refresh(never)
    }
    expect(files.log.length).toBe(before)
    await p.registry[Symbol.asyncDispose]()
  })
  test('that has no room does not count as closed in order after a crash', async () => {
    const files = await homes()
    const disk = filled()
    const before = server(files, LATER)
    await before.open(disk)
    await before.registry[Symbol.asyncDispose]()
    const full = new VirtualFiles(files.disk)
    const p = server(full, LATER + 1000)
    const m = await p.open(disk)
    full.fault = { at: 0, code: 'ENOSPC', lasting: true }
    arrive(disk, 4)
    await m.refresh(never)
    const told = m.table.highestModseq
    const q = server(new VirtualFiles(full.disk), LATER + 2000)
    const again = await q.open(disk)
    // Not the same number for what clients heard of as 4 and for what comes now.
    expect(again.table.generation.modseq[0]).toBeGreaterThan(told)
    await q.registry[Symbol.asyncDispose]()
  })
})
