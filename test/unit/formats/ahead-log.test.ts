import { closeSync, openSync, readFileSync, statSync, truncateSync, utimesSync, writeSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, type Boot, type FileLane, type Files, type OpenFile } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { NOTE_AT } from '../../../plugins/formats/shared/changes/ahead-format.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { but } from '../../support/changed-files.js'
import { fixedContextOf } from '../../support/fixed.js'
import { HeldClock } from '../../support/held-clock.js'
import { itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'

// Flags of many messages are durable in their log before the mailbox is: what becomes of both when processes and machines stop, and others change flags.

const system = new SystemFiles(await nativeLocks())
const message = (n: number): string => `Subject: message ${n}\r\n\r\nline of message ${n}\r\n`
const COUNT = 40
/** A machine that was started anew since. */
const LATER: Boot = { id: 'a later start', sinceMs: Date.now() + 3_600_000 }

describe.each([mbxDialect, mtxDialect])('$title: flags ahead of the mailbox', (dialect) => {
  let folder = temporaryFolder('ahead')
  let path = ''
  let clock = new HeldClock()
  let open: OpenBox[] = []
  /** Files that were synced, by what they are. */
  let synced: string[] = []
  /** Octets written to the mailbox. */
  let written = 0
  /** Logs take no octets. */
  let full = false
  /** So many syncs of the mailbox fail. */
  let failing = 0
  /** Syncs of the mailbox end when this does. */
  let slow: Promise<void> | undefined
  /** Done by others while something is synced. */
  let meanwhile: (() => void) | undefined
  beforeEach(() => {
    full = false
    failing = 0
    meanwhile = undefined
    slow = undefined
    folder = temporaryFolder('ahead')
    // A mailbox of the user's own is named like him.
    path = join(folder.path, 'alice')
    clock = new HeldClock()
    open = []
    synced = []
  })
  afterEach(async () => {
    for (const box of open) await box.source.close()
    await folder[Symbol.asyncDispose]()
  })

  const noted = (file: OpenFile): OpenFile =>
    but(file, {
      ...(file.path.endsWith('-ahead') && full && { write: () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })) }),
      sync: () => {
        synced.push(file.path === path ? 'mailbox' : file.path.slice(file.path.lastIndexOf('.')))
        meanwhile?.()
        meanwhile = undefined
        if (file.path === path && failing-- > 0) return Promise.reject(Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' }))
        return file.path === path && slow !== undefined ? slow.then(() => file.sync()) : file.sync()
      },
      ...(file.path === path && {
        write: (chunks: readonly Uint8Array[], at: number) => {
          written += chunks.reduce((sum, { length }) => sum + length, 0)
          return file.write(chunks, at)
        },
      }),
    })
  function filesOf(boot: Boot | undefined): Files {
    return but<Files>(system, { open: async (name, how) => noted(await system.open(name, how)), borrow: (name, shared) => noted(system.borrow(name, shared)), ...(boot && { boot }) })
  }
  function formatOf(boot?: Boot): FixedFormat {
    const files = filesOf(boot)
    let lot = 1
    const random = (octets: number): Uint8Array => Uint8Array.from({ length: octets }, () => (lot = (lot * 75 + 74) % 65537) & 0xff)
    const lane: FileLane = { run: async (task, args) => structuredClone(await task.run({ files, clock, random }, structuredClone(args))) }
    return new FixedFormat(dialect, { ...fixedContextOf(files, folder.path, { clock, lane, aheadFrom: 2 }), watch: true })
  }
  async function opened(boot?: Boot): Promise<OpenBox> {
    const box = await OpenBox.open(formatOf(boot), path)
    open.push(box)
    await box.refresh(true)
    return box
  }
  /** Messages of which each lies on a page of its own. */
  async function filled(): Promise<OpenBox> {
    await formatOf().create(placeOf(path))
    const box = await opened()
    await box.append(Array.from({ length: COUNT }, (_, n) => itemOf(`${message(n + 1)}${'x'.repeat(70)}\r\n`.padEnd(5000 + n, '.'))))
    await box.refresh(true)
    // What the append left in its redo file is crossed out on the disk before flags are written.
    await box.store([1], { system: SYSTEM.seen })
    await box.store([1], { how: 'remove', system: SYSTEM.seen })
    synced = []
    return box
  }
  /** The process is killed: nothing more is done by it, and its locks are gone. */
  async function killed(box: OpenBox): Promise<void> {
    const log = await readFile(await logPath())
    await box.source.close()
    open = open.filter((other) => other !== box)
    writeAt(await logPath(), log, 0)
  }
  async function logPath(): Promise<string> {
    const redo = join(folder.path, 'state', 'redo')
    const [name] = (await readdir(redo)).filter((file) => file.endsWith('-ahead'))
    return join(redo, name ?? '')
  }
  function writeAt(file: string, octets: Uint8Array, at: number): void {
    const fd = openSync(file, 'r+')
    writeSync(fd, octets, 0, octets.length, at)
    closeSync(fd)
  }
  /** Pages that were not synced are lost: the mailbox has these octets again, and the times that went with them. */
  function lost(octets: Uint8Array, { atimeMs, mtimeMs }: { atimeMs: number; mtimeMs: number }): void {
    writeAt(path, octets, 0)
    utimesSync(path, atimeMs / 1000, mtimeMs / 1000)
  }
  /** Another program changes the flags of a message, as c-client does; by default it flags it. */
  function changedByOthers(n: number, from: string | undefined, to: string | undefined, mtimeMs: number): void {
    const octets = readFileSync(path, 'latin1')
    const lines = [...octets.matchAll(/;[0-9a-f]{12}(?=(-[0-9a-f]{8})?\r\n)/g)]
    const at = (lines[n - 1]?.index ?? 0) + 12
    if (from !== undefined) expect(octets[at]).toBe(from)
    writeAt(path, Buffer.from(to ?? String(Number(octets[at]) | 4)), at)
    utimesSync(path, mtimeMs / 1000, mtimeMs / 1000)
  }
  const flags = async (box: OpenBox): Promise<number[]> => (await box.messages()).map((m) => m.system)
  const all = (system: number): number[] => Array.from({ length: COUNT }, () => system)

  test('a change of many pages syncs the log, and the mailbox when nobody waits', async () => {
    const box = await filled()
    await box.store(box.uids, { system: SYSTEM.flagged })
    expect(synced).toEqual(['.mailwright-ahead'])
    // Whoever looks sees it.
    expect(await flags(await opened())).toEqual(all(SYSTEM.flagged))
    expect(synced).toEqual(['.mailwright-ahead'])
    clock.pass()
    // The mailbox without locks before, and by both that have it open.
    await expect.poll(() => synced.filter((what, i) => what !== synced[i - 1])).toEqual(['.mailwright-ahead', 'mailbox', '.mailwright-ahead'])
    expect((await readFile(await logPath())).subarray(0, 8)).toEqual(Buffer.alloc(8))
  })
  test('a change of one page syncs the mailbox', async () => {
    const box = await filled()
    await box.store([1], { system: SYSTEM.flagged })
    expect(synced).toEqual(['mailbox'])
  })
  test('one that follows changes in the log goes there as well', async () => {
    const box = await filled()
    await box.store(box.uids, { system: SYSTEM.flagged })
    await box.store([3], { how: 'remove', system: SYSTEM.flagged })
    expect(synced).toEqual(['.mailwright-ahead', '.mailwright-ahead'])
  })
  test('closing finishes it, and so does what writes another way', async () => {
    const box = await filled()
    await box.store(box.uids, { system: SYSTEM.flagged })
    await box.source.close()
    expect(synced.slice(1)).toEqual(['mailbox', 'mailbox', '.mailwright-ahead'])
    const again = await opened()
    synced = []
    await again.store(again.uids, { system: SYSTEM.answered })
    if (dialect.hides) await again.store([2], { keywords: ['fresh'] })
    else await again.expunge([2])
    expect(synced.filter((what) => what !== '.mailwright-redo').slice(0, 3)).toEqual(['.mailwright-ahead', 'mailbox', '.mailwright-ahead'])
  })

  const before = { bytes: Buffer.alloc(0), times: { atimeMs: 0, mtimeMs: 0 } }
  async function stored(): Promise<OpenBox> {
    const box = await filled()
    before.bytes = await readFile(path)
    before.times = statSync(path)
    await box.store(box.uids, { system: SYSTEM.flagged })
    await box.store([3, 4], { how: 'remove', system: SYSTEM.flagged })
    return box
  }
  const wanted = all(SYSTEM.flagged).map((system, i) => (i === 2 || i === 3 ? 0 : system))

  test('pages that a stopped machine lost are laid by the next look', async () => {
    await killed(await stored())
    lost(before.bytes, before.times)
    const box = await opened(LATER)
    expect(await flags(box)).toEqual(wanted)
    expect((await readFile(await logPath())).subarray(0, 8)).toEqual(Buffer.alloc(8))
  })
  test('and so are those that were lost in part', async () => {
    await killed(await stored())
    lost(before.bytes.subarray(0, 60_000), before.times)
    expect(await flags(await opened(LATER))).toEqual(wanted)
  })
  test('what others change after a process was killed stays, as long as the machine runs', async () => {
    await killed(await stored())
    changedByOthers(7, '4', '0', Math.floor(Date.now() / 1000) * 1000)
    expect(await flags(await opened())).toEqual(wanted.map((system, i) => (i === 6 ? 0 : system)))
  })
  test('and when it was started anew long afterwards', async () => {
    await killed(await stored())
    changedByOthers(7, '4', '0', Math.floor(Date.now() / 1000 + 600) * 1000)
    expect(await flags(await opened(LATER))).toEqual(wanted.map((system, i) => (i === 6 ? 0 : system)))
  })
  test('what others change while the log is open ends it: their change stays, and ours that follows it', async () => {
    const box = await stored()
    changedByOthers(7, '4', '0', Math.floor(Date.now() / 1000 - 5) * 1000)
    synced = []
    await box.store([7], { system: SYSTEM.answered })
    expect(synced.slice(0, 2)).toEqual(['mailbox', '.mailwright-ahead'])
    const after = wanted.map((system, i) => (i === 6 ? SYSTEM.answered : system))
    expect(await flags(box)).toEqual(after)
    expect(await flags(await opened(LATER))).toEqual(after)
  })
  test('messages that others moved meanwhile are left alone', async () => {
    await killed(await stored())
    const octets = before.bytes
    const start = dialect.header?.length ?? 0
    const second = [...octets.toString('latin1').matchAll(/[ \d]\d-\w{3}-\d{4} [^\n]*;[0-9a-f-]+\r\n/g)][1]?.index ?? 0
    // The first message is gone, and another program has moved the others to where it was; flags lie where others lay.
    const moved = Buffer.concat([octets.subarray(0, start), octets.subarray(second)])
    lost(moved, before.times)
    truncateSync(path, moved.length)
    expect(await flags(await opened(LATER))).toEqual(all(0).slice(1))
    expect(readFileSync(path).subarray(start)).toEqual(moved.subarray(start))
  })
  test('where the log cannot be written the mailbox is synced', async () => {
    const box = await filled()
    full = true
    await box.store(box.uids, { system: SYSTEM.flagged })
    expect(synced).toEqual(['.mailwright-ahead', 'mailbox'])
    await killed(box)
    expect(await flags(await opened(LATER))).toEqual(all(SYSTEM.flagged))
  })

  test('a sync that takes long is waited for by the next one, and by whoever closes the mailbox, which is unlocked then', async () => {
    const box = await filled()
    await box.store(box.uids, { system: SYSTEM.flagged })
    let goOn: () => void = () => undefined
    slow = new Promise((resolve) => (goOn = resolve))
    clock.pass()
    await box.store([3], { how: 'remove', system: SYSTEM.flagged })
    clock.pass()
    expect(synced.filter((what) => what === 'mailbox')).toHaveLength(1)
    const closed = box.source.close()
    goOn()
    await closed
    const other = await system.open(path, { write: true })
    expect(other.lock('flock', 'exclusive')).toBe('locked')
    await other.close()
  })
  test('octets that a failed sync has taken for written are written again before the log is crossed out', async () => {
    const box = await filled()
    await box.store(box.uids, { system: SYSTEM.flagged })
    failing = 1
    written = 0
    clock.pass()
    // The one that failed, and one under the locks.
    await expect.poll(() => synced.slice(1)).toEqual(['mailbox', 'mailbox', '.mailwright-ahead'])
    expect(written).toBeGreaterThanOrEqual(COUNT)
  })
  test('and so are those that the sync of an append has taken for written', async () => {
    const box = await filled()
    await box.store(box.uids, { system: SYSTEM.flagged })
    failing = 1
    await expect(box.append([itemOf('Subject: no\r\n\r\n')])).rejects.toThrow('EIO')
    written = 0
    await box.source.close()
    expect(written).toBeGreaterThanOrEqual(COUNT)
    expect((await readFile(await logPath())).subarray(0, 8)).toEqual(Buffer.alloc(8))
  })
  test('what a killed process had begun is left to others who changed the mailbox since', async () => {
    await killed(await stored())
    // The process had not come to the note of its last record.
    writeAt(await logPath(), Buffer.alloc(24), NOTE_AT)
    changedByOthers(7, '4', '0', Math.floor(Date.now() / 1000 + 600) * 1000)
    expect(await flags(await opened())).toEqual(wanted.map((system, i) => (i === 6 ? 0 : system)))
  })
  // Of mbx every program that changes flags has the name lock.
  test.each(dialect.hides ? [] : ['another program'])('what %s that has it open sets while something is synced stays', async () => {
    const box = await filled()
    const other = await system.open(path, { write: true })
    other.lock('flock', 'shared')
    meanwhile = () => changedByOthers(7, undefined, undefined, Math.floor(Date.now() / 1000) * 1000)
    await box.store(box.uids, { system: SYSTEM.seen })
    await other.close()
    await box.refresh(true)
    expect(await flags(box)).toEqual(all(SYSTEM.seen).map((system, i) => (i === 6 ? system | SYSTEM.flagged : system)))
  })
})
