import { closeSync, openSync, utimesSync, writeSync } from 'node:fs'
import { open as openFile, readFile, stat as statFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, type FileLane, type Files, type FileStat, type OpenFile } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { emptyHeader } from '../../../plugins/formats/shared/fixed/contents.js'
import type { Dialect } from '../../../plugins/formats/shared/fixed/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fileState, sameMtime } from '../../../plugins/formats/shared/fixed/stamp.js'
import { flagsChanged } from '../../../plugins/formats/shared/fixed/times.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { but } from '../../support/changed-files.js'
import { fixedContextOf } from '../../support/fixed.js'
import { itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'
import { never, TestClock } from '../../support/unix.js'

const system = new SystemFiles(await nativeLocks())
const message = (n: number): string => `Subject: message ${n}\r\n\r\nline of message ${n}\r\n`

let folder = temporaryFolder('foreign-flags')
let path = ''
let open: OpenBox[] = []
beforeEach(() => {
  folder = temporaryFolder('foreign-flags')
  path = join(folder.path, 'box')
})
afterEach(async () => {
  for (const box of open) await box.source.close().catch(() => undefined)
  open = []
  await folder[Symbol.asyncDispose]()
})
const clock = new TestClock(Date.now() + 60_000)
const laneOf = (files: Files): FileLane => ({ run: async (task, args) => structuredClone(await task.run({ files, clock, random: (n) => new Uint8Array(n).fill(7) }, structuredClone(args))) })
const formatOf = (dialect: Dialect, files: Files = system): FixedFormat => new FixedFormat(dialect, fixedContextOf(files, folder.path, { lane: laneOf(files), clock }))
async function opened(format: FixedFormat): Promise<OpenBox> {
  const box = await OpenBox.open(format, path)
  open.push(box)
  await box.refresh(true)
  return box
}
async function filled(format: FixedFormat, count: number): Promise<OpenBox> {
  await format.create(placeOf(path))
  const box = await opened(format)
  await box.append(Array.from({ length: count }, (_, n) => itemOf(message(n + 1))))
  await box.refresh(true)
  return box
}
/** Files whose open mailbox answers otherwise. */
function withFile(change: (file: OpenFile) => Partial<OpenFile>): Files {
  const changed = (name: string, file: OpenFile): OpenFile => (name === path ? but(file, change(file)) : file)
  return but<Files>(system, {
    open: async (name, how) => changed(name, await system.open(name, how)),
    borrow: (name, shared) => changed(name, system.borrow(name, shared)),
  })
}
async function poke(at: number, text: string): Promise<void> {
  const file = await openFile(path, 'r+')
  await file.write(Buffer.from(text, 'latin1'), 0, text.length, at)
  await file.close()
}

describe('c-client leaves whole seconds', () => {
  test.each([mbxDialect, mtxDialect])('$title: two changes of flags by c-client in one second: the second one is seen and not overwritten', async (dialect) => {
    const box = await filled(formatOf(dialect), 3)
    await box.store([1], { system: SYSTEM.flagged })
    const octets = await readFile(path, 'latin1')
    const lineEnd = [...octets.matchAll(/;[0-9a-f-]+\r\n/g)].map((m) => m.index + 1)
    const lowest = 11
    const at = (lineEnd[1] ?? 0) + lowest
    const before = octets[at]
    const second = Math.floor(clock.now() / 1000)
    clock.ms = second * 1000 + 300
    // c-client: marks message 2 \Seen; utime(2) with whole seconds (portable_utime).
    await poke(at, String(Number(before) | 1))
    if (dialect === mbxDialect) await poke(2038, '00001234')
    await utimes(path, second, second)
    await box.refresh(true)
    expect((await box.messages()).map((m) => m.system)).toEqual([SYSTEM.flagged, SYSTEM.seen, 0])
    clock.ms += 300
    // and, in the same second, \Deleted (bit 2); the process is the same, so is what stands at 2038.
    await poke(at, String(Number(before) | 3))
    await utimes(path, second, second)
    clock.ms += 5000
    await box.refresh(true)
    const seen = (await box.messages()).map((m) => m.system)
    await box.store([2], { system: SYSTEM.answered })
    const after = (await readFile(path, 'latin1'))[at]
    expect({ seen, after }).toEqual({ seen: [SYSTEM.flagged, SYSTEM.seen | SYSTEM.deleted, 0], after: dialect === mbxDialect ? 'b' : '3' })
  })
})

describe('octets written along', () => {
  test('mtx: a flag that c-client sets without any lock (spec: "flag change: mtx/tenex: none") while neighbours are written stays', async () => {
    let between: (() => Promise<void>) | undefined
    const files = withFile((file) => ({
      // c-client gets its turn between the read of the span and its write.
      async write(chunks, at) {
        const run = between
        between = undefined
        await run?.()
        return file.write(chunks, at)
      },
    }))
    const box = await filled(formatOf(mtxDialect, files), 5)
    await box.store([1], { system: SYSTEM.seen })
    const octets = await readFile(path, 'latin1')
    const at = [...octets.matchAll(/;[0-7]{12}\r\n/g)].map((m) => m.index + 1 + 11)
    between = () => poke(at[2] ?? 0, '2')
    // Messages 2 and 4; message 3 lies between.
    await box.store([2, 4], { system: SYSTEM.flagged })
    const after = await readFile(path, 'latin1')
    expect(at.map((place) => after[place])).toEqual(['1', '4', '2', '4', '0'])
  })
})

describe.each([mtxDialect, tenexDialect])('$title: flags that c-client changes without a lock', (dialect) => {
  /** c-client gets its turn between the look at the file and the first write, once. */
  let turn: (() => void) | undefined
  const watched = withFile((file) => ({
    lock(kind, mode) {
      const run = mode === 'exclusive' ? turn : undefined
      if (run !== undefined) turn = undefined
      run?.()
      return file.lock(kind, mode)
    },
  }))
  const fieldsOf = async (): Promise<number[]> => [...(await readFile(path, 'latin1')).matchAll(/;[0-7]{12}\r?\n/g)].map((m) => m.index + 1)
  const ways = [
    { way: 'a thread', make: (): FixedFormat => formatOf(dialect, watched) },
    { way: 'the general way', make: (): FixedFormat => new FixedFormat(dialect, fixedContextOf(watched, folder.path, { clock })) },
  ]
  const programs = [
    { program: 'one that has the mailbox open', stays: true },
    { program: 'one that closed it then', stays: false },
  ]
  const cases = ways.flatMap((way) => programs.map((program) => ({ ...way, ...program })))
  /** What c-client does to message 2 and 3: \Answered, \Seen, and times of whole seconds (utime). */
  async function prepared(make: () => FixedFormat, stays: boolean): Promise<{ box: OpenBox; other: OpenFile | undefined; written: () => Promise<string[]> }> {
    const box = await filled(make(), 4)
    await box.store([1], { system: SYSTEM.seen })
    clock.ms += 5000
    await box.refresh(true)
    const other = stays ? await system.open(path) : undefined
    if (other !== undefined) expect(other.lock('flock', 'shared')).toBe('locked')
    const at = await fieldsOf()
    const second = Math.floor(clock.now() / 1000) - 3
    turn = () => {
      const fd = openSync(path, 'r+')
      writeSync(fd, '3', (at[1] ?? 0) + 10, 'latin1')
      writeSync(fd, '1', (at[2] ?? 0) + 11, 'latin1')
      closeSync(fd)
      utimesSync(path, second, second)
    }
    return { box, other, written: async () => Promise.all((await fieldsOf()).map(async (place) => (await readFile(path, 'latin1')).slice(place + 10, place + 12))) }
  }
  const systems = async (box: OpenBox): Promise<number[]> => {
    await box.refresh(true)
    return (await box.messages()).map((m) => m.system)
  }

  test.each(cases)('are kept and seen when the same messages get others by $way: $program', async ({ make, stays }) => {
    const { box, other, written } = await prepared(make, stays)
    await box.store([2, 3], { system: SYSTEM.deleted })
    await other?.close()
    expect(turn).toBeUndefined()
    const { answered, deleted, seen } = SYSTEM
    expect(await systems(box)).toEqual([seen, answered | deleted, seen | deleted, 0])
    expect(await written()).toEqual(['21', '32', '23', '20'])
  })
  test.each(cases)('are seen when mail arrives by $way, and not hidden from others: $program', async ({ make, stays }) => {
    const { box, other } = await prepared(make, stays)
    const { mtimeMs } = await statFile(path)
    await box.append([itemOf(message(5))])
    await other?.close()
    expect(turn).toBeUndefined()
    // Who knew the flags before looks again.
    expect(Math.abs((await statFile(path)).mtimeMs - mtimeMs)).toBeGreaterThan(0.01)
    expect(await systems(box)).toEqual([SYSTEM.seen, SYSTEM.answered, SYSTEM.seen, 0, 0])
  })
  test('are not hidden by a delivery to a mailbox that is not open here', async () => {
    const { box, other } = await prepared(() => formatOf(dialect, watched), true)
    await box.source.close()
    const { mtimeMs } = await statFile(path)
    const delivery = await formatOf(dialect, watched).append(placeOf(path))
    await delivery.add(itemOf(message(5)), never)
    await delivery.commit(undefined, never)
    await other?.close()
    expect(turn).toBeUndefined()
    expect(Math.abs((await statFile(path)).mtimeMs - mtimeMs)).toBeGreaterThan(0.01)
  })
  test('are all that others look for again: mail that arrives where nobody else has it open leaves the time of flags', async () => {
    const box = await filled(formatOf(dialect), 2)
    await box.store([1], { system: SYSTEM.seen })
    const { mtimeMs } = await statFile(path)
    await box.append([itemOf(message(3))])
    expect(Math.abs((await statFile(path)).mtimeMs - mtimeMs)).toBeLessThan(0.01)
  })
})

test('the time that is left is told from that of the tick in which it was', async () => {
  const stat: FileStat = { kind: 'file', device: 1, inode: 2, links: 1, size: 10, mode: 0o600, mtimeMs: 1_700_000_000_000, ctimeMs: 1_700_000_000_000, atimeMs: 1_700_000_000_000 } as FileStat
  let left = 0
  const file = { stat: async () => stat, setTimes: async (_a: number, m: number) => void (left = m) } as unknown as OpenFile
  const same: number[] = []
  for (let lot = 0; lot < 997; lot++) {
    await flagsChanged(file, stat.mtimeMs, lot, 0)
    const known = fileState({ ...stat, mtimeMs: left }, emptyHeader(new TestClock(stat.mtimeMs), []), stat.mtimeMs, true)
    if (sameMtime(known, stat) && !known.recent) same.push(lot)
  }
  expect(same).toEqual([])
})

test('mbx: a keyword that c-client defined in the second that was looked at stays its own', async () => {
  const box = await filled(formatOf(mbxDialect), 2)
  await box.store([1], { system: SYSTEM.flagged })
  const octets = await readFile(path, 'latin1')
  const fields = [...octets.matchAll(/;[0-9a-f]{12}-/g)].map((m) => m.index + 1)
  const second = Math.floor(clock.now() / 1000)
  clock.ms = second * 1000 + 300
  await poke((fields[0] ?? 0) + 11, '5')
  await poke(2038, '00001234')
  await utimes(path, second, second)
  await box.refresh(true)
  // Then it defines its first keyword and sets it on message 2.
  await poke(25, 'theirs\r\n')
  await poke((fields[1] ?? 0) + 7, '1')
  await utimes(path, second, second)
  clock.ms += 5000
  await box.refresh(true)
  await box.store([1], { keywords: ['ours'] })
  const fresh = await opened(formatOf(mbxDialect))
  expect((await fresh.messages()).map((m) => m.keywords)).toEqual([['ours'], ['theirs']])
})


test('that a message was seen to come is written again where another program took it back, so that nobody is told it twice', async () => {
  const box = await filled(formatOf(mbxDialect), 3)
  const before = await readFile(path, 'latin1')
  const flagsAt = [...before.matchAll(/;[0-9a-f]{8}([0-9a-f]{4})-/g)].map((m) => m.index + 9)
  const flagsOf = async (): Promise<string[]> => {
    const octets = await readFile(path, 'latin1')
    return flagsAt.map((at) => octets.slice(at, at + 4))
  }
  const claimed = await flagsOf()
  await poke(flagsAt[0] ?? 0, '0000')
  const later = Math.floor(clock.now() / 1000) + 100
  await utimes(path, later, later)
  await box.refresh(true)
  await box.refresh(true)
  expect(await flagsOf()).toEqual(claimed)
})
