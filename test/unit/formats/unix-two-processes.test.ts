import { appendFile, chmod, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, type Files } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { itemOf, OpenBox, placeOf } from '../../support/open-box.js'
import { TestClock, unixContext } from '../../support/unix.js'

process.env['TZ'] = 'UTC'
const FROM = 'From bob@example.net Mon Jan  5 09:08:07 2015\n'
const message = (subject: string): string => `Subject: ${subject}\r\n\r\nhello\r\n`
const theirs = (subject: string): string => `${FROM}Subject: ${subject}\n\nhello\n\n`

/** The same object, with some of its methods in other hands. */
function withMethods<T extends object>(of: T, methods: Partial<T>): T {
  return new Proxy(of, {
    get(target, key) {
      const value: unknown = Reflect.get(key in methods ? methods : target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
const OWNER_LOCK = /\/\.[0-9a-f]+\.[0-9a-f]+$/
const DOT_LOCK = /\.lock\.\d/
/** Something happens once, before a lock is tried: by default the first, which is the owner lock for those who write. */
function beforeLock(files: Files, happens: () => Promise<unknown>, which: readonly RegExp[] = [OWNER_LOCK, DOT_LOCK]): Files {
  let due = true
  return withMethods(files, {
    async open(at, how) {
      if (due && which.some((name) => name.test(at))) {
        due = false
        await happens()
      }
      return files.open(at, how)
    },
  })
}
/** What overwrites octets that are in the mailbox fails. */
function unwritable(files: Files, path: string): Files {
  return withMethods(files, {
    async open(at, how) {
      const file = await files.open(at, how)
      if (at !== path) return file
      const { size } = await file.stat()
      // The last octet is tried before anything is begun.
      return withMethods(file, { write: (chunks, to) => (to < size - 1 ? Promise.reject(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })) : file.write(chunks, to)) })
    },
  })
}
/** As a process has them that does not own the mailbox, and can give it no times. */
function notMine(files: Files, path: string): Files {
  const setTimes = (): Promise<void> => Promise.reject(Object.assign(new Error('EPERM: operation not permitted, futime'), { code: 'EPERM' }))
  return withMethods(files, { open: async (at, how) => (at === path ? withMethods(await files.open(at, how), { setTimes }) : files.open(at, how)) })
}

describe('two processes on one unix mailbox', () => {
  let dir = ''
  let files: Files = new SystemFiles(undefined)
  let ms = Date.UTC(2026, 10, 23, 1, 58, 56)
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-two-'))
    files = new SystemFiles(await nativeLocks())
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  /** What another process has: turns, facts and a clock of its own. */
  const format = (over: Files = files): TextFormat => new TextFormat(unixContext(over, dir, { clock: new TestClock((ms += 10_000)) }))
  const flagged = { system: SYSTEM.flagged }
  const flags = async (box: OpenBox): Promise<(readonly [number, number])[]> => (await box.messages()).map(({ uid, system }) => [uid, system & (SYSTEM.flagged | SYSTEM.deleted)] as const)
  // The user's own mailboxes bear a mark of changes; beside others nothing stays.
  const places = [
    { name: 'a mailbox of the user', file: 'alice' },
    { name: 'a mailbox that belongs to nobody', file: 'box' },
  ]

  test.each(places)('what the other did while the lock of $name was waited for is found: no number is given twice', async ({ file }) => {
    const path = join(dir, file)
    const one = format()
    await one.create(placeOf(path))
    const first = await OpenBox.open(one, path)
    const late = beforeLock(files, async () => {
      await first.refresh(true)
      await first.append([itemOf(message('a')), itemOf(message('b')), itemOf(message('c')), itemOf(message('d'))])
      await first.expunge([3, 4])
    })
    const empty = await OpenBox.open(format(), path)
    await empty.refresh(true)
    const second = await OpenBox.open(format(late), path, empty)
    await second.expunge([99])
    expect([second.uids, second.table.uidNext]).toEqual([[1, 2], 5])
    expect((await second.append([itemOf(message('e'))]))?.uids.ranges).toEqual(Uint32Array.of(5, 5))
    await first.refresh(true)
    expect([first.uids, first.notices]).toEqual([[1, 2, 5], []])
  })

  // Whoever changes a mailbox leaves another time of access, if it is the owner.
  const owners: readonly { readonly name: string; readonly file: string; readonly mode: number; readonly mine: boolean }[] = [
    ...places.map((place) => ({ ...place, mode: 0o600, mine: true })),
    { name: 'a mailbox of the user that another one owns', file: 'alice', mode: 0o660, mine: false },
    { name: 'a mailbox of several users', file: 'box', mode: 0o660, mine: false },
  ]
  const changeFlags = async (path: string, mine: boolean): Promise<void> => {
    const other = await OpenBox.open(format(mine ? files : notMine(files, path)), path)
    await other.refresh(true)
    const { atimeMs } = await stat(path)
    await other.store([1], flagged)
    if (!mine) expect((await stat(path)).atimeMs).toBe(atimeMs)
    await appendFile(path, theirs('c'))
  }
  test.each(owners)('flags that were changed in $name before mail came are found by who knew it as it was, and stay', async ({ file, mode, mine }) => {
    const path = join(dir, file)
    await writeFile(path, theirs('a') + theirs('b'))
    await chmod(path, mode)
    await (await OpenBox.open(format(), path)).refresh(true)
    const known = await OpenBox.open(format(), path)
    await known.refresh(true)
    await changeFlags(path, mine)
    // The same rows and stamp, as core keeps them over a restart.
    const second = await OpenBox.open(format(), path, known)
    await second.refresh(true)
    expect(await flags(second)).toEqual([[1, SYSTEM.flagged], [2, 0], [3, 0]])
    await second.store([2], { system: SYSTEM.deleted })
    const again = await OpenBox.open(format(), path)
    await again.refresh(true)
    expect(await flags(again)).toEqual([[1, SYSTEM.flagged], [2, SYSTEM.deleted], [3, 0]])
  })
  test.each(owners)('the same, while the lock of $name is waited for', async ({ file, mode, mine }) => {
    const path = join(dir, file)
    await writeFile(path, theirs('a') + theirs('b'))
    await chmod(path, mode)
    await (await OpenBox.open(format(), path)).refresh(true)
    const known = await OpenBox.open(format(), path)
    await known.refresh(true)
    const second = await OpenBox.open(format(beforeLock(files, () => changeFlags(path, mine))), path, known)
    // Takes the lock, whatever is known.
    await second.expunge([99])
    expect(await flags(second)).toEqual([[1, SYSTEM.flagged], [2, 0], [3, 0]])
  })

  test('numbers that another program gave, and took away with their messages, are not given again', async () => {
    const path = join(dir, 'alice')
    const one = format()
    await one.create(placeOf(path))
    const box = await OpenBox.open(one, path)
    await box.refresh(true)
    await box.append([itemOf(message('a'))])
    await box.store([1], flagged)
    const file = await files.open(path, { write: true })
    const { atimeMs, mtimeMs } = await file.stat()
    const text = await readFile(path, 'latin1')
    await file.write([Buffer.from(text.replace(/^(X-IMAP: \d+) 0000000001/m, '$1 0000000007') + theirs('b'), 'latin1')], 0)
    // Not every program leaves another time of access.
    await file.setTimes(atimeMs, mtimeMs)
    await file.close()
    await box.refresh(true)
    expect(box.uids).toEqual([1, 8])
  })

  test.each(places)('a rewrite of $name that is cut short while the lock is waited for is finished before anything else happens', async ({ file }) => {
    const path = join(dir, file)
    await writeFile(path, theirs('a') + theirs('b'), { mode: 0o600 })
    const known = await OpenBox.open(format(), path)
    await known.refresh(true)
    const breaks = async (uid: number): Promise<void> => {
      const broken = await OpenBox.open(format(unwritable(files, path)), path)
      await broken.refresh(false)
      await expect(broken.store([uid], flagged)).rejects.toThrow('EIO')
    }
    const reader = await OpenBox.open(format(beforeLock(files, () => breaks(1))), path)
    await reader.refresh(false)
    expect(await flags(reader)).toEqual([[1, SYSTEM.flagged], [2, 0]])
    const writer = await OpenBox.open(format(beforeLock(files, () => breaks(2))), path)
    await writer.append([itemOf(message('c'))])
    const again = await OpenBox.open(format(), path)
    await again.refresh(true)
    expect(await flags(again)).toEqual([[1, SYSTEM.flagged], [2, SYSTEM.flagged], [3, 0]])
    expect((await again.messages()).map(({ text }) => /^Subject: (\w)/m.exec(text)?.[1])).toEqual(['a', 'b', 'c'])
  })

  test.each(places)('what a rewrite of $name left half done is read by nobody while another program has it open', async ({ file }) => {
    const path = join(dir, file)
    await writeFile(path, theirs('a') + theirs('b'), { mode: 0o600 })
    const known = await OpenBox.open(format(), path)
    await known.refresh(true)
    const broken = await OpenBox.open(format(unwritable(files, path)), path)
    await broken.refresh(false)
    await expect(broken.store([1, 2], flagged)).rejects.toThrow('EIO')
    const { dev, ino } = await stat(path, { bigint: true })
    await writeFile(join(dir, `.${dev.toString(16)}.${ino.toString(16)}`), '4712')
    const lock = await files.open(join(dir, `.${dev.toString(16)}.${ino.toString(16)}`), { write: true })
    expect(lock.lock('flock', 'exclusive')).toBe('locked')
    for (const box of [known, await OpenBox.open(format(), path)]) await expect(box.refresh(false)).rejects.toMatchObject({ kind: 'in-use' })
    await lock.close()
    await known.refresh(true)
    expect(await flags(known)).toEqual([[1, SYSTEM.flagged], [2, SYSTEM.flagged]])
  })

  test('a mailbox that is replaced while its lock is waited for is written under the owner lock of the new file', async () => {
    const path = join(dir, 'alice')
    await writeFile(path, theirs('a'))
    const known = await OpenBox.open(format(), path)
    await known.refresh(true)
    await writeFile(join(dir, 'new'), await readFile(path))
    const late = beforeLock(files, () => rename(join(dir, 'new'), path), [DOT_LOCK])
    const locks: string[] = []
    const watched = withMethods(late, {
      unlink(at) {
        locks.push(at)
        return late.unlink(at)
      },
    })
    const box = await OpenBox.open(format(watched), path, known)
    await box.store([1], flagged)
    const { dev, ino } = await stat(path)
    expect(locks.filter((at) => at.startsWith(join(dir, '.'))).at(-1)).toBe(join(dir, `.${dev.toString(16)}.${ino.toString(16)}`))
    expect(await flags(box)).toEqual([[1, SYSTEM.flagged]])
    expect(await readFile(path, 'latin1')).toMatch(/^X-Status: F/m)
  })
})
