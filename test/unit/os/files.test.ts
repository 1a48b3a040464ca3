import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { immediateCalls } from '../../../core/os/immediate.js'
import { nativeLocks, withoutFalseEnds, type NativeLocks } from '../../../core/os/native-locks.js'
import { has, hasPython, run } from '../../support/programs.js'

const TRY_LOCK = `
import fcntl, sys
with open(sys.argv[1], "r+") as file:
    try:
        getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("locked", end="")
    except OSError:
        print("busy", end="")
`

const native = await nativeLocks()
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

describe('system files', () => {
  let dir = ''
  let files = new SystemFiles(undefined)
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-os-'))
    files = new SystemFiles(await nativeLocks())
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  test('a created file has the exact mode, whatever the umask, and an existing one keeps its own', async () => {
    const path = join(dir, 'a')
    await (await files.open(path, { write: true, create: 'if-missing', mode: 0o666 })).close()
    expect((await files.stat(path))?.mode).toBe(0o666)
    await (await files.open(path, { write: true, create: 'if-missing', mode: 0o600 })).close()
    expect((await files.stat(path))?.mode).toBe(0o666)
  })

  test.skipIf(!existsSync('/dev/full'))('what the system says of an open file names it: which disk is full, if it is one', async () => {
    const full = await files.open('/dev/full', { write: true })
    const refused = { code: 'ENOSPC', path: '/dev/full', message: "ENOSPC: no space left on device, write '/dev/full'" }
    await expect(full.write([Buffer.from('x')], 0)).rejects.toMatchObject(refused)
    await expect(full.write([Buffer.from('x'), Buffer.from('y')], 0)).rejects.toMatchObject({ ...refused, message: expect.stringMatching(/^ENOSPC: .*'\/dev\/full'$/) })
    await expect(full.truncate(1)).rejects.toMatchObject({ path: '/dev/full', message: expect.stringContaining("'/dev/full'") })
    await full.close()
    const folder = await files.open(dir)
    await expect(folder.read(new Uint8Array(1), 0)).rejects.toMatchObject({ code: 'EISDIR', path: dir, message: expect.stringContaining(`'${dir}'`) })
    await folder.close()
  })

  describe.each([
    { with_: 'the call of the system', make: async () => new SystemFiles(await nativeLocks()) },
    { with_: 'the call of the system, on a thread of files', make: async () => new SystemFiles(await nativeLocks(), immediateCalls()) },
    { with_: 'links', make: async () => new SystemFiles(undefined) },
    { with_: 'links, on a thread of files', make: async () => new SystemFiles(undefined, immediateCalls()) },
    { with_: 'neither', make: async () => new SystemFiles(undefined, { ...immediateCalls(), link: Object.assign((_from: unknown, _to: unknown, done: (error: Error) => void) => done(Object.assign(new Error('EPERM'), { code: 'EPERM' })), { __promisify__: () => Promise.resolve() }) }) },
  ])('a rename to a free name, by $with_', ({ make }) => {
    test('replaces nothing, and tells why it was not done', async () => {
      const renaming = await make()
      const [a, b, c] = ['a', 'b', 'ä\udce4'].map((name) => join(dir, name)) as [string, string, string]
      await writeFile(a, 'a')
      await writeFile(b, 'b')
      await expect(renaming.renameToFree(a, b)).rejects.toMatchObject({ code: 'EEXIST' })
      await expect(renaming.renameToFree(join(dir, 'nothing'), c)).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(renaming.renameToFree(a, join(dir, 'nothing/c'))).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(renaming.renameToFree(a, `${c}\0`)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
      await renaming.renameToFree(a, c)
      expect((await files.list(dir)).map(({ name }) => name).sort()).toEqual(['b', 'ä\udce4'])
      expect(await readFile(b, 'utf8')).toBe('b')
    })
  })

  test('new refuses a taken name, noFollow a symbolic link, and if-missing a dangling one', async () => {
    await writeFile(join(dir, 'there'), 'x')
    await symlink(join(dir, 'there'), join(dir, 'link'))
    await symlink(join(dir, 'nowhere'), join(dir, 'dangling'))
    await expect(files.open(join(dir, 'there'), { create: 'new', write: true })).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(files.open(join(dir, 'link'), { noFollow: true })).rejects.toMatchObject({ code: 'ELOOP' })
    await expect(files.open(join(dir, 'dangling'), { create: 'if-missing', write: true })).rejects.toMatchObject({ code: 'EEXIST' })
  })

  test('write takes more pieces than writev does, read fills its buffer and tells the end', async () => {
    const file = await files.open(join(dir, 'a'), { write: true, create: 'new' })
    await file.write(Array.from({ length: 2500 }, (_, n) => Buffer.from([n & 0xff])), 3)
    await file.sync()
    const into = new Uint8Array(4000)
    expect(await file.read(into, 0)).toBe(2503)
    expect(into[3 + 2499]).toBe(2499 & 0xff)
    expect(await file.read(into, 2503)).toBe(0)
    await file.truncate(4)
    expect((await file.stat()).size).toBe(4)
    await file.close()
    await file.close()
  })

  test('times are set to the millisecond and a stat of nothing is undefined', async () => {
    const path = join(dir, 'a')
    await writeFile(path, 'x')
    await files.setTimes(path, 1_500_000_000_123, 1_400_000_000_456)
    const stat = await files.stat(path)
    expect([Math.round(stat?.atimeMs ?? 0), Math.round(stat?.mtimeMs ?? 0)]).toEqual([1_500_000_000_123, 1_400_000_000_456])
    expect(await files.stat(join(dir, 'none'))).toBeUndefined()
    expect(await files.stat(join(path, 'below'))).toBeUndefined()
  })

  test('times before 1970 are no times of today', async () => {
    const path = join(dir, 'a')
    const file = await files.open(path, { write: true, create: 'if-missing', mode: 0o600 })
    await file.setTimes(-3_600_000, -86_400_000)
    expect(await file.stat()).toMatchObject({ atimeMs: -3_600_000, mtimeMs: -86_400_000 })
    await file.close()
    await files.setTimes(path, -7_200_000, -1)
    expect(await files.stat(path)).toMatchObject({ atimeMs: -7_200_000, mtimeMs: -1 })
  })

  test.skipIf(!has('mkfifo'))('a pipe in the place of a file keeps nobody waiting', async () => {
    const path = join(dir, 'pipe')
    expect((await run('mkfifo', [path])).code).toBe(0)
    for (const write of [false, true]) {
      const file = await files.open(path, { write })
      await expect(file.read(new Uint8Array(10), 0)).rejects.toMatchObject({ code: 'ESPIPE' })
      await file.close()
    }
  })

  test('list tells kinds of the names themselves', async () => {
    await writeFile(join(dir, 'f'), '')
    await files.makeDirectory(join(dir, 'd'), 0o750)
    await symlink(join(dir, 'd'), join(dir, 'l'))
    const entries = [...(await files.list(dir))].sort((a, b) => a.name.localeCompare(b.name))
    expect(entries).toEqual([
      { name: 'd', kind: 'directory' },
      { name: 'f', kind: 'file' },
      { name: 'l', kind: 'symlink' },
    ])
    await files.syncDirectory(dir)
  })

  test('watch calls back after a change and no more after it was disposed of', async () => {
    const path = join(dir, 'a')
    await writeFile(path, 'x')
    const changed = await new Promise<string>((resolve) => {
      const watch = files.watch(path, () => {
        watch[Symbol.dispose]()
        resolve('changed')
      })
      void writeFile(path, 'yy')
    })
    expect(changed).toBe('changed')
  })

  test('kernel locks conflict between two descriptors, the two kinds are independent, and both are given back', async () => {
    const path = join(dir, 'a')
    await writeFile(path, text(new Uint8Array(1)))
    const one = await files.open(path, { write: true })
    const two = await files.open(path, { write: true })
    const kinds = (await nativeLocks()) === undefined ? [] : (['flock', 'fcntl'] as const)
    for (const kind of kinds) {
      expect(one.lock(kind, 'exclusive')).toBe('locked')
      expect(two.lock(kind, 'shared')).toBe('busy')
      one.unlock(kind)
      expect(two.lock(kind, 'shared')).toBe('locked')
      expect(one.lock(kind, 'shared')).toBe('locked')
      two.unlock(kind)
      one.unlock(kind)
    }
    await one.close()
    await two.close()
  })

  test.skipIf(native === undefined)('a file that is closed locks nothing, and gives no lock back that has its number now', async () => {
    await writeFile(join(dir, 'a'), 'x')
    const closed = await files.open(join(dir, 'a'), { write: true })
    await closed.close()
    // It gets the number that is free.
    const next = await files.open(join(dir, 'a'), { write: true })
    expect(next.shared).toBe(closed.shared)
    expect([next.lock('flock', 'exclusive'), closed.lock('flock', 'shared')]).toEqual(['locked', 'busy'])
    closed.unlock('flock')
    const other = await files.open(join(dir, 'a'), { write: true })
    expect(other.lock('flock', 'shared')).toBe('busy')
    await next.close()
    await other.close()
  })

  test('what is in memory is read without waiting, and nothing else', async () => {
    const path = join(dir, 'a')
    await writeFile(path, 'one two three')
    const file = await files.open(path)
    const native = (await nativeLocks())?.readNow !== undefined
    await file.read(new Uint8Array(13), 0)
    const [part, all] = [new Uint8Array(3), Buffer.alloc(100_000)]
    expect(file.readNow?.(part, 4)).toBe(native)
    expect(text(part)).toBe(native ? 'two' : '\0\0\0')
    // The file ends before, what follows is not there.
    expect([file.readNow?.(all, 0), file.readNow?.(new Uint8Array(1), 13), file.readNow?.(new Uint8Array(0), 0)]).toEqual([false, false, false])
    await writeFile(path, 'x'.repeat(100_000))
    expect([file.readNow?.(all, 0), text(all).replaceAll('x', '')]).toEqual([native, native ? '' : text(all)])
    await file.close()
    expect(file.readNow?.(part, 4)).toBe(false)
  })
  test('what is in memory is read up to the end of the file without waiting', async () => {
    const path = join(dir, 'a')
    await writeFile(path, 'one two three')
    const file = await files.open(path)
    const native = (await nativeLocks())?.readNow !== undefined
    await file.read(new Uint8Array(13), 0)
    const room = Buffer.alloc(20_000)
    expect([file.readSomeNow?.(room, 4), room.toString('latin1', 0, 10)]).toEqual(native ? [9, 'two three\0'] : [undefined, '\0'.repeat(10)])
    // A full room does not say that the file ends; behind its end there is nothing.
    expect([file.readSomeNow?.(room.subarray(0, 3), 0), file.readSomeNow?.(room, 13)]).toEqual(native ? [3, 0] : [undefined, undefined])
    await writeFile(path, 'x'.repeat(9000))
    expect(file.readSomeNow?.(room, 0)).toBe(native ? 9000 : undefined)
    await file.close()
    expect(file.readSomeNow?.(room, 0)).toBeUndefined()
  })
  test('a thread that may wait writes single octets in one go, and says why one could not be written', async () => {
    const path = join(dir, 'a')
    await writeFile(path, 'one two three')
    const can = native?.writeOctets !== undefined
    const [file, prompt] = [await new SystemFiles(native, immediateCalls()).open(path, { write: true }), await files.open(path)]
    expect([file.writeOctets !== undefined, prompt.writeOctets !== undefined]).toEqual([can, false])
    await file.writeOctets?.(Float64Array.of(0, 4, 12), Buffer.from('OT.'))
    await Promise.all([file.close(), prompt.close()])
    expect(await readFile(path, 'latin1')).toBe(can ? 'One Two thre.' : 'one two three')
    const unwritable = await new SystemFiles(native, immediateCalls()).open(path)
    const failing = unwritable.writeOctets?.(Float64Array.of(0, 4), Buffer.from('xx')) ?? Promise.reject(new Error('EBADF'))
    await expect(failing).rejects.toThrow('EBADF')
    await unwritable.close()
  })
  test('octets are handed on to the disk, of a file that is open', async () => {
    const file = await files.open(join(dir, 'a'), { write: true, create: 'new' })
    await file.write([Buffer.alloc(10_000, 'x')], 0)
    expect(file.beginWriting !== undefined).toBe(native?.beginWriting !== undefined)
    await file.beginWriting?.(0, 8192)
    await file.sync()
    await file.close()
    // Its number may be another file's by now.
    await file.beginWriting?.(0, 8192)
    expect(await readFile(join(dir, 'a'), 'latin1')).toBe('x'.repeat(10_000))
  })
  test('and reads at once what is not in memory, which the event loop does not', async () => {
    const path = join(dir, 'a')
    await writeFile(path, 'one two three')
    const calls: NativeLocks = { flock: () => 'unavailable', fcntl: () => 'unavailable', readNow: () => -1, readWaiting: (_fd, into) => into.fill(120).length }
    const opened = [await new SystemFiles(calls, immediateCalls()).open(path), await new SystemFiles(calls).open(path)]
    expect(opened.map((file) => file.readNow?.(new Uint8Array(3), 4))).toEqual([true, false])
    await Promise.all(opened.map((file) => file.close()))
    const file = await new SystemFiles(native, immediateCalls()).open(path)
    const part = new Uint8Array(3)
    expect([file.readNow?.(part, 4), text(part)]).toEqual(native?.readWaiting === undefined ? [false, '\0\0\0'] : [true, 'two'])
    expect([file.readNow?.(part, 12), file.readSomeNow?.(part, 11)]).toEqual([false, native?.readWaiting === undefined ? undefined : 2])
    await file.close()
  })
  test('octets that could not be written at once are written one after the other', async () => {
    const path = join(dir, 'a')
    await writeFile(path, 'one two three')
    // Interrupted before each of them.
    const interrupted = new SystemFiles({ flock: () => 'unavailable', fcntl: () => 'unavailable', writeOctets: () => 0 }, immediateCalls())
    const file = await interrupted.open(path, { write: true })
    await file.writeOctets?.(Float64Array.of(0, 4, 8), Buffer.from('OTT'))
    await file.close()
    expect(await readFile(path, 'latin1')).toBe('One Two Three')
  })
  test.each([
    { system: '5.8.18', end: 0 },
    { system: '5.9.16-1-amd64', end: undefined },
    { system: '5.10.0-28-amd64', end: undefined },
    { system: '5.100.1', end: 0 },
    { system: '6.5.10', end: 0 },
    { system: '6.18.44', end: 0 },
  ])('a system that says of what is not in memory that the file ends there is not believed: $system', async ({ system, end }) => {
    const path = join(dir, 'a')
    await writeFile(path, 'x'.repeat(9000))
    // The second half is on the disk alone.
    const read = withoutFalseEnds(system, (_fd, into, at) => Math.max(0, Math.min(into.length, 4096 - at)))
    const flawed = new SystemFiles({ flock: () => 'unavailable', fcntl: () => 'unavailable', readNow: read })
    const file = await flawed.open(path)
    const room = Buffer.alloc(10_000)
    expect([file.readSomeNow?.(room.subarray(0, 4096), 0), file.readSomeNow?.(room, 4096)]).toEqual([4096, end])
    expect(await file.read(room, 4096)).toBe(9000 - 4096)
    await file.close()
  })

  // By the rules of POSIX any close of the file would give up all fcntl locks of the process (FAQ 6.11).
  test.skipIf(!hasPython('fcntl')).each(['flock', 'fcntl'] as const)('a lock by %s is kept from other processes when this one opens the file again, reads it and closes it', async (kind) => {
    const path = join(dir, 'a')
    await writeFile(path, 'text')
    const holder = await files.open(path, { write: true })
    expect(holder.lock(kind, 'exclusive')).toBe('locked')
    const call = kind === 'flock' ? 'flock' : 'lockf'
    const othersTry = async (): Promise<string> => (await run('python3', ['-c', TRY_LOCK, path, call])).stdout
    expect(await othersTry()).toBe('busy')
    const other = await files.open(path, { write: true })
    await other.read(new Uint8Array(4), 0)
    await other.close()
    await readFile(path)
    expect(await othersTry()).toBe('busy')
    holder.unlock(kind)
    expect(await othersTry()).toBe('locked')
    await holder.close()
  })

  test('without native calls a lock is unavailable', async () => {
    const file = await new SystemFiles(undefined).open(join(dir, 'a'), { write: true, create: 'new' })
    expect([file.lock('flock', 'exclusive'), file.lock('fcntl', 'shared')]).toEqual(['unavailable', 'unavailable'])
    file.unlock('flock')
    await file.close()
  })
})
