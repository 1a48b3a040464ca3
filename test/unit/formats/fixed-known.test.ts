import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, type FileLane, type Files } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { nameLockPath } from '../../../plugins/formats/shared/locks/name-lock.js'
import { countingFiles } from '../../support/counting-files.js'
import { fixedContextOf } from '../../support/fixed.js'
import { deliver, itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'
import { TestClock } from '../../support/unix.js'

// A change of a mailbox that is known is one task of the lane, and nothing else is asked of the files.

const system = new SystemFiles(await nativeLocks())
const message = (n: number): string => `Subject: message ${n}\r\n\r\nline of message ${n}\r\n`

describe.each([mbxDialect, mtxDialect, tenexDialect])('$title: changes of a mailbox that is known', (dialect) => {
  let folder = temporaryFolder('known')
  let path = ''
  let open: OpenBox[] = []
  /** Tasks that were run. */
  let tasks = 0
  beforeEach(() => {
    folder = temporaryFolder('known')
    path = join(folder.path, 'box')
    tasks = 0
  })
  afterEach(async () => {
    for (const box of open) await box.source.close()
    open = []
    await folder[Symbol.asyncDispose]()
  })
  /** As on another thread: what crosses is a copy, and the files are others. */
  const clock = new TestClock(Date.now() + 60_000)
  const lane: FileLane = {
    async run(task, args) {
      tasks++
      return structuredClone(await task.run({ files: system, clock, random: (n) => new Uint8Array(n).fill(tasks) }, structuredClone(args)))
    },
  }
  const formatOf = (files: Files = system): FixedFormat => new FixedFormat(dialect, fixedContextOf(files, folder.path, { lane, clock }))
  async function opened(format: FixedFormat): Promise<OpenBox> {
    const box = await OpenBox.open(format, path)
    open.push(box)
    return box
  }
  async function filled(format: FixedFormat, count: number): Promise<OpenBox> {
    await format.create(placeOf(path))
    const box = await opened(format)
    await box.refresh(true)
    await box.append(Array.from({ length: count }, (_, n) => itemOf(message(n + 1))))
    await box.refresh(true)
    return box
  }
  /** What somebody finds who has never seen the file. */
  async function inFile(): Promise<{ readonly text: string; readonly system: number; readonly keywords: readonly string[] }[]> {
    const box = await opened(formatOf())
    await box.refresh()
    return (await box.messages()).map(({ text, system: flags, keywords }) => ({ text, system: flags, keywords }))
  }

  const changes = [
    { name: 'a flag', change: (box: OpenBox) => box.store([2], { system: SYSTEM.flagged }) },
    { name: 'flags of all messages', change: (box: OpenBox) => box.store(box.uids, { system: SYSTEM.answered }) },
    { name: 'an append', change: (box: OpenBox) => box.append([itemOf(message(100)), itemOf(message(101), { system: SYSTEM.seen })]) },
    ...(dialect.header === undefined ? [] : [{ name: 'a new keyword', change: (box: OpenBox) => box.store([3], { keywords: ['fresh'] }) }]),
    ...(dialect.hides ? [{ name: 'an expunge', change: (box: OpenBox) => box.expunge([2]) }] : []),
  ]
  test.each(changes)('$name is one task, and the file says what the table says', async ({ change }) => {
    const { files, counts, reset } = countingFiles(system)
    const box = await filled(formatOf(files), 20)
    await box.store([1], { system: SYSTEM.seen })
    tasks = 0
    reset()
    await change(box)
    expect({ tasks, calls: counts().calls }).toEqual({ tasks: 1, calls: 0 })
    // Known again: the next change goes the same way.
    await box.store([5], { system: SYSTEM.deleted })
    expect({ tasks, calls: counts().calls }).toEqual({ tasks: 2, calls: 0 })
    const shown = (await box.messages()).map(({ text, system: flags, keywords }) => ({ text, system: flags, keywords }))
    expect(await inFile()).toEqual(shown)
  })

  const nothing = [
    { name: 'a flag that is set', change: (box: OpenBox) => box.store([1], { system: SYSTEM.seen }) },
    { name: 'a flag that is not set', change: (box: OpenBox) => box.store([2], { how: 'remove', system: SYSTEM.seen }) },
    ...(dialect.hides ? [{ name: 'an expunge of nothing', change: (box: OpenBox) => box.expunge([], false) }] : []),
  ]
  test.each(nothing)('$name: a look at the mailbox and nothing else', async ({ change }) => {
    const { files, counts, reset } = countingFiles(system)
    const box = await filled(formatOf(files), 3)
    await box.store([1], { system: SYSTEM.seen })
    tasks = 0
    reset()
    await change(box)
    expect({ tasks, calls: counts().calls }).toEqual({ tasks: 0, calls: 1 })
    expect((await inFile()).map((m) => m.system)).toEqual([SYSTEM.seen, 0, 0])
  })
  test('a flag that was set and that others took away meanwhile is set again', async () => {
    const box = await filled(formatOf(), 3)
    await box.store([1], { system: SYSTEM.seen })
    const other = await opened(formatOf())
    await other.refresh(true)
    await other.store([1], { how: 'remove', system: SYSTEM.seen })
    await box.store([1], { system: SYSTEM.seen })
    expect((await inFile()).map((m) => m.system)).toEqual([SYSTEM.seen, 0, 0])
  })

  test.each(dialect.hides ? ['hidden'] : [])('room of %s messages is taken back when that moves little, or wins much; whether it does costs no call', async () => {
    const { files, counts, reset } = countingFiles(system)
    const box = await filled(formatOf(files), 2000)
    const size = async (): Promise<number> => (await system.stat(path))?.size ?? 0
    const full = await size()
    const expunged = async (which: readonly number[]): Promise<number> => {
      await box.expunge(which)
      reset()
      await box.source.reclaim?.(new AbortController().signal)
      return counts().calls
    }
    expect(await expunged([3])).toBe(0)
    expect(await size()).toBe(full)
    await expunged(box.uids.slice(500, 1500))
    expect(await size()).toBeLessThan(0.6 * full)
    const then = await size()
    expect(await expunged([2000])).toBeGreaterThan(0)
    expect(await size()).toBeLessThan(then)
    expect(box.table.length).toBe(998)
    expect((await inFile()).map((m) => m.text)).toEqual((await box.messages()).map((m) => m.text))
  })

  test('what was appended by others meanwhile is found, and the flag that was wanted is in the file', async () => {
    const box = await filled(formatOf(), 3)
    await box.store([1], { system: SYSTEM.seen })
    await deliver(formatOf(), path, [itemOf(message(4))])
    await box.store([2], { system: SYSTEM.flagged })
    expect(box.table.length).toBe(4)
    expect((await inFile()).map((m) => m.system)).toEqual([SYSTEM.seen, SYSTEM.flagged, 0, 0])
  })

  test('what others did to flags meanwhile stays, and what is taken away goes', async () => {
    const box = await filled(formatOf(), 3)
    await box.store([1, 2], { system: SYSTEM.seen })
    const other = await opened(formatOf())
    await other.refresh(true)
    await other.store(other.uids.slice(1), { system: SYSTEM.answered })
    await box.store([2], { how: 'remove', system: SYSTEM.seen })
    expect((await inFile()).map((m) => m.system)).toEqual([SYSTEM.seen, SYSTEM.answered, SYSTEM.answered])
    expect((await box.messages()).map((m) => m.system)).toEqual([SYSTEM.seen, SYSTEM.answered, SYSTEM.answered])
  })

  test.each([
    { name: 'a flag', change: (box: OpenBox) => box.store([2], { system: SYSTEM.flagged }) },
    { name: 'an append', change: (box: OpenBox) => box.append([itemOf(message(4))]) },
  ])('$name waits while another program holds the lock, and not on the thread', async ({ change }) => {
    const box = await filled(formatOf(), 3)
    await box.store([1], { system: SYSTEM.seen })
    const before = await system.stat(path)
    const held = await system.open(nameLockPath(folder.path, before ?? { device: 0, inode: 0 }), { write: true, create: 'new', mode: 0o666 })
    held.lock('flock', 'exclusive')
    tasks = 0
    const wait = clock.after.bind(clock)
    let waits = 0
    clock.after = (ms, run) => {
      // The third time that somebody waits the other one is done.
      if (++waits === 3) void held.close().then(() => rm(held.path))
      return wait(ms, run)
    }
    try {
      await change(box)
    } finally {
      clock.after = wait
    }
    expect({ tasks, waited: waits >= 3 }).toEqual({ tasks: 1, waited: true })
    expect(await inFile()).toEqual((await box.messages()).map(({ text, system: flags, keywords }) => ({ text, system: flags, keywords })))
    expect((await system.stat(path))?.mtimeMs === before?.mtimeMs && (await system.stat(path))?.size === before?.size).toBe(false)
  })

  test.each([
    { name: 'what the system has in memory is read at once', inMemory: true, asked: ['now'] },
    { name: 'what it would have to wait for is not', inMemory: false, asked: ['now', 'read'] },
  ])('a small message: $name', async ({ inMemory, asked }) => {
    const found: string[] = []
    const files = new Proxy(system, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key)
        if (key !== 'open') return typeof value === 'function' ? value.bind(target) : value
        return async (...args: Parameters<Files['open']>) => {
          const file = await target.open(...args)
          const octets = await system.open(args[0])
          const all = Buffer.alloc((await octets.stat()).size)
          await octets.read(all, 0)
          await octets.close()
          return new Proxy(file, {
            get(open, name) {
              if (name === 'readNow') return (into: Uint8Array, at: number) => (found.push('now'), inMemory && into.set(all.subarray(at, at + into.length)) === undefined)
              if (name === 'read') return (into: Uint8Array, at: number) => (found.push('read'), open.read(into, at))
              const value: unknown = Reflect.get(open, name)
              return typeof value === 'function' ? value.bind(open) : value
            },
          })
        }
      },
    })
    await (await filled(formatOf(), 1)).source.close()
    const box = await opened(formatOf(files))
    await box.refresh(true)
    found.length = 0
    expect((await box.messages()).map((m) => m.text)).toEqual([message(1)])
    // Whether it is that mailbox still, its own record tells.
    expect(found).toEqual(dialect.header === undefined ? asked : [...asked, ...asked])
  })
})
