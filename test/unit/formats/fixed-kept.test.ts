import { readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, type Boot, type Files, type FileStat, type OpenFile } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { nameLockPath } from '../../../plugins/formats/shared/locks/name-lock.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { but } from '../../support/changed-files.js'
import { fixedContextOf } from '../../support/fixed.js'
import { HeldClock } from '../../support/held-clock.js'
import { itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'
import { TestClock } from '../../support/unix.js'

const system = new SystemFiles(await nativeLocks())
const message = (n: number): string => `Subject: ${n}\r\n\r\n${String(n).repeat(5000)}\r\n`
/** What was written a while ago is not written once more in the same tick of the clock of files. */
const aWhileLater = (): number => Date.now() + 60_000

describe('the first look of a process at a mailbox that is as its rows of last time say', () => {
  let folder = temporaryFolder('kept')
  let path = ''
  let open: OpenBox[] = []
  beforeEach(() => {
    folder = temporaryFolder('kept')
    // A mailbox of the user's own is named like him.
    path = join(folder.path, 'alice')
    open = []
  })
  afterEach(async () => {
    for (const box of open) await box.source.close()
    await folder[Symbol.asyncDispose]()
  })
  /** Of a process. */
  const formatOf = (files: Files = system): FixedFormat => new FixedFormat(mbxDialect, fixedContextOf(files, folder.path, { clock: new TestClock(aWhileLater()) }))
  async function opened(after?: OpenBox, files?: Files): Promise<OpenBox> {
    const box = await OpenBox.open(formatOf(files), path, after)
    open.push(box)
    return box
  }
  /** Three messages whose rows are known to a process that has ended. */
  async function left(): Promise<OpenBox> {
    await formatOf().create(placeOf(path))
    const box = await opened()
    await box.refresh(true)
    await box.append([1, 2, 3].map((n) => itemOf(message(n))))
    await box.refresh(true)
    await box.source.close()
    return box
  }
  const texts = async (box: OpenBox): Promise<string[]> => (await box.messages()).map(({ text }) => text)

  test('takes no lock that somebody who writes may have', async () => {
    const before = await left()
    const { dev: device, ino: inode } = statSync(path)
    const lock = await system.open(nameLockPath(folder.path, { device, inode }), { write: true, create: 'new', mode: 0o666 })
    expect(lock.lock('flock', 'exclusive')).toBe('locked')
    const box = await opened(before)
    await box.refresh(true)
    expect(await texts(box)).toEqual([1, 2, 3].map(message))
    // Whoever knows nothing of it has to wait.
    await expect((await opened()).refresh(true)).rejects.toMatchObject({ kind: 'in-use' })
    await lock.close()
  })
  test('keeps its messages where they are from then on', async () => {
    const box = await opened(await left())
    await box.refresh(true)
    const other = await opened()
    await other.refresh(true)
    const { size } = statSync(path)
    await other.expunge([1])
    await other.source.reclaim?.(new AbortController().signal)
    expect(statSync(path).size).toBe(size)
    expect(await texts(box)).toEqual([1, 2, 3].map(message))
    await box.source.close()
    await other.source.reclaim?.(new AbortController().signal)
    expect(statSync(path).size).toBeLessThan(size)
  })
  test('takes back the room of messages that went while others had it open', async () => {
    const box = await opened(await left())
    await box.refresh(true)
    const other = await opened()
    await other.refresh(true)
    const { size } = statSync(path)
    await box.expunge([2])
    await box.source.reclaim?.(new AbortController().signal)
    expect(statSync(path).size).toBe(size)
    await box.source.close()
    await other.source.close()
    const again = await opened(box)
    await again.refresh(true)
    expect(statSync(path).size).toBeLessThan(size - 5000)
    expect(await texts(again)).toEqual([1, 3].map(message))
  })
  test('finds what others did since', async () => {
    const before = await left()
    const other = await opened()
    await other.refresh(true)
    await other.append([itemOf(message(4))])
    await other.store([2], { system: SYSTEM.flagged })
    const box = await opened(before)
    await box.refresh(true)
    expect((await box.messages()).map(({ text, system }) => [text, system])).toEqual([1, 2, 3, 4].map((n) => [message(n), n === 2 ? SYSTEM.flagged : 0]))
  })
  test('is one under all locks while somebody moves messages', async () => {
    const before = await left()
    const mover = await system.open(path)
    expect(mover.lock('flock', 'exclusive')).toBe('locked')
    const box = await opened(before)
    await expect(box.refresh(true)).rejects.toMatchObject({ kind: 'in-use' })
    await mover.close()
    await box.refresh(true)
    expect(await texts(box)).toEqual([1, 2, 3].map(message))
  })

  /** As when a machine stopped before a change was in the mailbox: that is as it was, also by its times, as long as nobody writes to it. */
  function asItWas(octets: Uint8Array, was: FileStat, boot?: Boot): Files {
    writeFileSync(path, octets)
    truncateSync(path, octets.length)
    utimesSync(path, was.atimeMs / 1000, was.mtimeMs / 1000)
    const { mtimeMs } = statSync(path)
    const seen = (now: FileStat): FileStat => (now.size === was.size && now.mtimeMs === mtimeMs ? { ...now, mtimeMs: was.mtimeMs, ctimeMs: was.ctimeMs } : now)
    const noted = (file: OpenFile): OpenFile => but(file, { ...(file.path === path && { stat: async () => seen(await file.stat()) }) })
    return but<Files>(system, {
      open: async (name, how) => noted(await system.open(name, how)),
      stat: async (name) => {
        const now = await system.stat(name)
        return now && name === path ? seen(now) : now
      },
      ...(boot && { boot }),
    })
  }
  async function statOf(): Promise<FileStat> {
    const stat = await system.stat(path)
    if (stat === undefined) throw new Error('no mailbox')
    return stat
  }
  async function redoOf(suffix: string): Promise<string> {
    const redo = join(folder.path, 'state', 'redo')
    return join(redo, (await readdir(redo)).find((name) => name.endsWith(suffix)) ?? '')
  }

  test('finishes a change that waits in the redo file', async () => {
    const before = await left()
    const [octets, was] = [readFileSync(path), await statOf()]
    // What the redo file says when the mailbox is about to be written.
    let staged: { readonly name: string; readonly octets: Uint8Array } | undefined
    const writing = but<Files>(system, {
      async open(name, how) {
        const file = await system.open(name, how)
        if (name !== path) return file
        return but(file, {
          async write(chunks: readonly Uint8Array[], at: number) {
            const redo = await redoOf('-redo')
            staged ??= { name: redo, octets: readFileSync(redo) }
            await file.write(chunks, at)
          },
        })
      },
    })
    const other = await opened(undefined, writing)
    await other.refresh(true)
    await other.append([itemOf(message(4))])
    await other.source.close()
    const files = asItWas(octets, was)
    writeFileSync(staged!.name, staged!.octets)
    const box = await opened(before, files)
    await box.refresh(true)
    expect(await texts(box)).toEqual([1, 2, 3, 4].map(message))
  })
  test('finishes flags that are in the log alone', async () => {
    const before = await left()
    const [octets, was] = [readFileSync(path), await statOf()]
    const format = new FixedFormat(mbxDialect, { ...fixedContextOf(system, folder.path, { clock: new HeldClock(aWhileLater()), aheadFrom: 2 }), watch: true })
    const other = await OpenBox.open(format, path)
    await other.refresh(true)
    await other.store(other.uids, { system: SYSTEM.flagged })
    const log = await redoOf('-ahead')
    const said = readFileSync(log)
    await other.source.close()
    const files = asItWas(octets, was, { id: 'a later start', sinceMs: aWhileLater() })
    writeFileSync(log, said)
    const box = await opened(before, files)
    await box.refresh(true)
    expect((await box.messages()).map((m) => m.system)).toEqual([1, 2, 3].map(() => SYSTEM.flagged))
  })
})
