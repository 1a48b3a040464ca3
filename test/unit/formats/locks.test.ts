import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { chmod, link, mkdtemp, readdir, readFile, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MailError, type Files, type Locker } from '../../../core/api/index.js'
import { systemClock } from '../../../core/os/clock.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { takeDotLock } from '../../../plugins/formats/shared/locks/dot-lock.js'
import { openLocked } from '../../../plugins/formats/shared/locks/mailbox-lock.js'
import { nameLockPath, takeNameLock, tryNameLock } from '../../../plugins/formats/shared/locks/name-lock.js'
import { fileLocks, type FileLocks } from '../../../plugins/formats/shared/locks/locks.js'
import { thisMachine, type Machine } from '../../../plugins/formats/shared/machine.js'
import { lockSettings, never, TestClock, testMachine } from '../../support/unix.js'

const native = await nativeLocks()
/** Content of a lock file of this server. */
const ours = (of: { readonly kind?: string; readonly pid?: number; readonly born?: number; readonly host?: string } = { pid: 4711, kind: native ? 'flock' : 'pid' }): string =>
  `${of.pid ?? 4712}:${of.host ?? 'mail.example.org'}\0mailwright ${of.kind ?? 'flock'} ${of.born ?? 1}\n`
/** The same files, but for some calls. */
function changed(files: Files, change: Partial<Files>): Files {
  return new Proxy(files, {
    get(target, key: keyof Files) {
      return change[key] ?? (target[key] as (...args: never[]) => unknown).bind(target)
    },
  })
}
/** Files of a machine or file system without kernel locks. */
function flockless(files: Files): Files {
  return changed(files, { open: async (path, how) => Object.assign(await files.open(path, how), { lock: () => 'unavailable' as const, unlock: () => undefined }) })
}
const HOLDER = fileURLToPath(new URL('../../support/lock-holder.mjs', import.meta.url))

describe('locks of traditional mailboxes', () => {
  let dir = ''
  let said: string[] = []
  let logged: string[] = []
  let clock = new TestClock(Date.now())
  const children: ChildProcess[] = []
  const files = new SystemFiles(native)
  const say = (_severity: string, text: string): void => void said.push(text)
  const logger = { info: (event: string): void => void logged.push(event), warn: (event: string): void => void logged.push(event) }
  const context = (change: Partial<FileLocks['settings']> = {}, machine: Partial<Machine> = {}, using: Files = files): FileLocks =>
    fileLocks({
      files: using,
      clock,
      random: (n) => new Uint8Array(n),
      settings: { ...lockSettings, lockDirectory: dir, ...change },
      logger,
      watch: true,
      machine: { ...testMachine, ...machine },
    })
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-locks-'))
    said = []
    logged = []
    clock = new TestClock(Date.now())
    await writeFile(join(dir, 'box'), 'x')
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill()
    await rm(dir, { recursive: true, force: true })
  })
  /** Files of a process before whose third opening of one of them another program has gone, however long that takes. */
  function goneAtThird(path: string, letGo: () => Promise<void>): { readonly using: Files; readonly tries: () => number } {
    let tries = 0
    const using = changed(files, {
      async open(name, how) {
        if (name === path && ++tries === 3) await letGo()
        return files.open(name, how)
      },
    })
    return { using, tries: () => tries }
  }
  /** Another program that holds a lock until it is let go. */
  async function holder(kind: string, path: string, content?: string, yields = false): Promise<() => Promise<void>> {
    const child = spawn(process.execPath, [HOLDER, kind, path, ...(content === undefined ? [] : [encodeURIComponent(content)])], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, YIELDS: yields ? '1' : '' } })
    children.push(child)
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (d: Buffer) => resolve(d.toString())))
    expect(line).toBe('locked\n')
    return () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.stdin.end()
      })
  }

  test('the dot-lock names its holder, has mode 0666, is made by link, without its hitching post, and is gone afterwards', async () => {
    const lock = await takeDotLock(context(), join(dir, 'box'), never, say)
    const [made, content] = [await stat(join(dir, 'box.lock')), await readFile(join(dir, 'box.lock'), 'latin1')]
    expect([lock.state, content, made.mode & 0o777]).toEqual(['locked', ours(), 0o666])
    // Nobody waits for its first name to go, which it does while the lock is held.
    await expect.poll(() => readdir(dir)).toEqual(['box', 'box.lock'])
    if (lock.state === 'locked') await lock.release()
    expect(await readdir(dir)).toEqual(['box'])
    expect(said).toEqual([])
  })

  test('a young lock is waited for, with a warning, until it is gone', async () => {
    await writeFile(join(dir, 'box.lock'), '')
    const lock = await takeDotLock(context(), join(dir, 'box'), never, (severity, text) => {
      say(severity, text)
      if (/will override in \d+ seconds/.test(text)) void unlink(join(dir, 'box.lock'))
    })
    if (lock.state === 'locked') await lock.release()
    expect(lock.state).toBe('locked')
    expect(said[0]).toMatch(/^Mailbox .*box is locked, will override in \d+ seconds\.\.\.$/)
  })

  test('a lock as old as the timeout by its ctime is overridden at once; an old mtime alone means nothing', async () => {
    await writeFile(join(dir, 'box.lock'), '')
    await files.setTimes(join(dir, 'box.lock'), 0, 0)
    clock.ms = Date.now() + lockSettings.dotlockTimeoutMs + 1000
    const lock = await takeDotLock(context(), join(dir, 'box'), never, say)
    expect([lock.state, said.at(-1)]).toEqual(['locked', `Mailbox ${join(dir, 'box')} lock overridden`])
    expect(said.filter((s) => s.includes('seizing'))).toEqual([])
  })

  test('a lock that was seen unchanged for the timeout is seized, whatever its time says', async () => {
    await writeFile(join(dir, 'box.lock'), '')
    // The clock of the file's machine goes wrong: by its time the lock is never old.
    clock.ms = Date.now() - lockSettings.dotlockTimeoutMs * 2
    const began = clock.ms
    const lock = await takeDotLock(context(), join(dir, 'box'), never, say)
    expect(lock.state).toBe('locked')
    expect(clock.ms - began).toBeGreaterThanOrEqual(lockSettings.dotlockTimeoutMs)
    expect(said.slice(-2)).toEqual(['Mailbox vulnerable - seizing 0 second old lock', `Mailbox ${join(dir, 'box')} lock overridden`])
  })

  test('locks that follow each other, or are renewed, are never seized: the mailbox is in use', async () => {
    await writeFile(join(dir, 'box.lock'), '')
    let inode = 0
    const passedOn = changed(files, {
      lstat: async (path) => {
        const there = await files.lstat(path)
        return there !== undefined && path.endsWith('box.lock') ? { ...there, inode: ++inode, ctimeMs: clock.ms } : there
      },
    })
    await expect(openLocked(context({}, {}, passedOn), join(dir, 'box'), 'exclusive', never, say)).rejects.toMatchObject({ kind: 'in-use' })
    expect(await readdir(dir)).toEqual(['box', 'box.lock'])
    expect(said.filter((text) => /seizing|overridden/.test(text))).toEqual([])
  })

  const left = [
    { name: 'the flock of the holder is free, whoever has its number now', content: { kind: 'flock' }, machine: { exists: () => true }, flock: true },
    { name: 'the flock is free, and the number is that of this process', content: { kind: 'flock', pid: 4711 }, machine: {}, flock: true },
    { name: 'no flock to be had, and nobody has its number', content: { kind: 'flock' }, machine: { exists: () => false }, flock: false },
    { name: 'no flock to be had, and the number is that of this process, which began later', content: { kind: 'pid', pid: 4711, born: 0 }, machine: { exists: () => true }, flock: false },
  ] as const
  test.each(left)('a lock that this server left behind is overridden at once: $name', async ({ content, machine, flock }) => {
    await writeFile(join(dir, 'box.lock'), ours(content))
    const using = flock && native !== undefined ? files : flockless(files)
    const began = clock.ms
    const lock = await takeDotLock(context({}, machine, using), join(dir, 'box'), never, say)
    if (flock && native === undefined) return
    expect(clock.ms).toBe(began)
    expect(lock.state).toBe('locked')
    const text = `Mailbox ${join(dir, 'box')} lock of process ${'pid' in content ? content.pid : 4712}, which is gone, overridden`
    expect([said, logged]).toEqual([[text], [text]])
    expect(await readFile(join(dir, 'box.lock'), 'latin1')).toContain('4711:mail.example.org\0')
    if (lock.state === 'locked') await lock.release()
    expect(await readdir(dir)).toEqual(['box'])
  })

  const kept = [
    { name: 'no flock to be had, and the process lives', text: ours({ kind: 'pid' }), machine: { exists: () => true }, flock: false },
    { name: 'no flock to be had, and it is held by this very process', text: ours({ kind: 'pid', pid: 4711 }), machine: {}, flock: false },
    { name: 'of another host', text: ours({ kind: 'flock', host: 'other.example.org' }), machine: {}, flock: true },
    { name: 'of another program that writes process and host', text: '4712:mail.example.org', machine: {}, flock: true },
    { name: 'of another program that writes the process', text: '4712\n', machine: {}, flock: true },
    { name: 'with damaged content', text: ours({ kind: 'flock' }).slice(0, -1), machine: {}, flock: true },
  ]
  test.each(kept)('a lock is waited for: $name', async ({ text, machine, flock }) => {
    await writeFile(join(dir, 'box.lock'), text)
    const stop = new AbortController()
    const waiting = takeDotLock(context({}, machine, flock ? files : flockless(files)), join(dir, 'box'), stop.signal, (severity, line) => {
      say(severity, line)
      stop.abort(new Error('enough'))
    })
    await expect(waiting).rejects.toThrow('enough')
    expect(await readFile(join(dir, 'box.lock'), 'latin1')).toBe(text)
    expect(said).toEqual([expect.stringMatching(/^Mailbox .*box is locked, will override in \d+ seconds\.\.\.$/)])
  })

  test.runIf(native)('a lock of ours is respected as long as its holder has it, and gone with kill -9', async () => {
    await writeFile(join(dir, 'box.lock'), '')
    const letGo = await holder('flock', join(dir, 'box.lock'), ours({ kind: 'flock' }))
    const stop = new AbortController()
    const waiting = takeDotLock(context(), join(dir, 'box'), stop.signal, () => stop.abort(new Error('enough')))
    await expect(waiting).rejects.toThrow('enough')
    const child = children[0]
    const gone = new Promise((resolve) => child?.once('exit', resolve))
    child?.kill('SIGKILL')
    await gone
    const began = clock.ms
    const lock = await takeDotLock(context(), join(dir, 'box'), never, say)
    expect([lock.state, clock.ms, logged.filter((text) => text.includes('overridden')).length]).toEqual(['locked', began, 1])
    if (lock.state === 'locked') await lock.release()
    void letGo
  })

  test('where flock is not to be used it is not used on lock files either', async () => {
    const lock = await takeDotLock(context({ kernelLocks: ['fcntl'] }), join(dir, 'box'), never, say)
    expect(await readFile(join(dir, 'box.lock'), 'latin1')).toBe(ours({ pid: 4711, kind: 'pid' }))
    if (lock.state === 'locked') await lock.release()
  })

  test.runIf(native)('many that find the same lock left behind take it one after the other', async () => {
    await writeFile(join(dir, 'box.lock'), ours({ kind: 'flock' }))
    let inside = 0
    const use = async (n: number): Promise<void> => {
      // Each as a process of its own would see it.
      const lock = await takeDotLock(context({}, { pid: 5000 + n, exists: () => true }), join(dir, 'box'), never, say)
      expect([lock.state, ++inside]).toEqual(['locked', 1])
      await readdir(dir)
      expect(await readFile(join(dir, 'box.lock'), 'latin1')).toContain(`${5000 + n}:`)
      inside--
      if (lock.state === 'locked') await lock.release()
    }
    await Promise.all(Array.from({ length: 9 }, (_, n) => use(n)))
    expect(logged.filter((text) => text.includes('overridden'))).toHaveLength(1)
    expect(await readdir(dir)).toEqual(['box'])
  })

  test('whoever judged a lock does not remove the one that came after it', async () => {
    await writeFile(join(dir, 'box.lock'), ours({ kind: 'pid' }))
    const stop = new AbortController()
    let swapped = false
    // Another process overrides it between the judgement and the removal.
    const racing = changed(files, {
      open: async (path, how) => {
        if (path.endsWith('.override') && !swapped) {
          swapped = true
          await unlink(join(dir, 'box.lock'))
          await writeFile(join(dir, 'box.lock'), ours({ kind: 'pid', pid: 6000 }))
        }
        return flockless(files).open(path, how)
      },
    })
    const waiting = takeDotLock(context({}, { exists: (pid) => pid === 6000 }, racing), join(dir, 'box'), stop.signal, () => stop.abort(new Error('enough')))
    await expect(waiting).rejects.toThrow('enough')
    expect(swapped).toBe(true)
    expect(await readFile(join(dir, 'box.lock'), 'latin1')).toBe(ours({ kind: 'pid', pid: 6000 }))
    expect((await readdir(dir)).toSorted()).toEqual(['box', 'box.lock'])
  })

  test('a guard that was left behind is removed, and then the lock', async () => {
    await writeFile(join(dir, 'box.lock'), ours({ kind: 'pid' }))
    await writeFile(join(dir, 'box.lock.0.0.override'), '')
    const lock = await takeDotLock(context({}, {}, flockless(files)), join(dir, 'box'), never, say)
    expect(lock.state).toBe('locked')
    if (lock.state === 'locked') await lock.release()
    expect(await readdir(dir)).toEqual(['box'])
  })

  test('hitching posts of processes that are gone are removed, those of others stay', async () => {
    const now = Math.floor(Date.now() / 1000)
    const gone = [`box.lock.${now}.4712.mail.example.org`, `other.lock.${now - 1000}.4713.mail.example.org`, `third.lock.0.4711.mail.example.org`]
    const stay = [`box.lock.${now}.4713.mail.example.org`, `box.lock.${now - 1000}.4712.other.example.org`, `box.lock.${now}.4711.mail.example.org`, 'box.lock.txt']
    for (const name of [...gone, ...stay]) await writeFile(join(dir, name), '')
    const lock = await takeDotLock(context({}, { exists: (pid) => pid === 4713, bornMs: 10_000 }), join(dir, 'another'), never, say)
    if (lock.state === 'locked') await lock.release()
    expect(await readdir(dir)).toEqual([...stay, 'box'].toSorted())
  })

  test('who held a lock so long that it was overridden does not remove the lock of the next', async () => {
    const lock = await takeDotLock(context(), join(dir, 'box'), never, say)
    await unlink(join(dir, 'box.lock'))
    await writeFile(join(dir, 'box.lock'), 'next')
    clock.ms += 60_000
    if (lock.state === 'locked') await lock.release()
    expect(await readFile(join(dir, 'box.lock'), 'latin1')).toBe('next')
  })

  test('a symbolic link in place of the lock is refused, and the signal ends the waiting', async () => {
    await symlink(join(dir, 'box'), join(dir, 'box.lock'))
    expect((await takeDotLock(context(), join(dir, 'box'), never, say)).state).toBe('refused')
    await unlink(join(dir, 'box.lock'))
    await writeFile(join(dir, 'box.lock'), '')
    const stop = new AbortController()
    const waiting = takeDotLock(context(), join(dir, 'box'), stop.signal, say)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  test('a folder that takes no files leaves the mailbox vulnerable, and says what to do', async () => {
    await chmod(dir, 0o555)
    // No permission holds root back.
    const root = process.getuid?.() === 0
    if (root) process.seteuid?.(65_534)
    try {
      expect((await takeDotLock(context(), join(dir, 'box'), never, say)).state).toBe('vulnerable')
      expect(said).toEqual([`Mailbox vulnerable - directory ${dir} must have 1777 protection`])
      said = []
      expect((await takeDotLock(context({ warnUnlocked: false }), join(dir, 'box'), never, say)).state).toBe('vulnerable')
      expect(said).toEqual([])
    } finally {
      if (root) process.seteuid?.(0)
      await chmod(dir, 0o755)
    }
  })

  describe('a folder that takes no files, and somebody who may make them', () => {
    /** Without the right to the folder, which root has always. */
    async function unprivileged<T>(work: () => Promise<T>): Promise<T> {
      await chmod(dir, 0o555)
      const root = process.getuid?.() === 0
      if (root) process.seteuid?.(65_534)
      try {
        return await work()
      } finally {
        if (root) process.seteuid?.(0)
        await chmod(dir, 0o755)
      }
    }
    const none: Locker = { lock: () => Promise.resolve(undefined) }
    test('those who can are asked in their order, and hold the lock until it is released', async () => {
      const steps: string[] = []
      const one: Locker = { lock: (mailbox) => Promise.resolve({ release: async () => void steps.push(`released ${mailbox}`) }) }
      const lock = await unprivileged(() => takeDotLock({ ...context(), lockers: [none, one] }, join(dir, 'box'), never, say))
      expect(lock.state).toBe('locked')
      if (lock.state === 'locked') await lock.release()
      expect(steps).toEqual([`released ${join(dir, 'box')}`])
      expect(said).toEqual([])
    })
    test('when none can, the mailbox is vulnerable as ever', async () => {
      expect((await unprivileged(() => takeDotLock({ ...context(), lockers: [none] }, join(dir, 'box'), never, say))).state).toBe('vulnerable')
      expect(said).toEqual([`Mailbox vulnerable - directory ${dir} must have 1777 protection`])
    })
    test('when another program has the lock, the mailbox is in use', async () => {
      const taken: Locker = { lock: () => Promise.reject(new MailError('in-use', 'taken')) }
      expect((await unprivileged(() => takeDotLock({ ...context(), lockers: [taken] }, join(dir, 'box'), never, say))).state).toBe('busy')
    })
    test('nobody is asked where the folder takes files', async () => {
      const asked: Locker = { lock: () => Promise.reject(new Error('asked')) }
      const lock = await takeDotLock({ ...context(), lockers: [asked] }, join(dir, 'box'), never, say)
      expect(lock.state).toBe('locked')
      if (lock.state === 'locked') await lock.release()
    })
  })

  test('the name lock bears device and inode in hexadecimal', () => {
    expect(nameLockPath('/tmp', { device: 0xfe00, inode: 0x21e5fa })).toBe('/tmp/.fe00.21e5fa')
  })

  test.runIf(native)('the name lock names its holder while it is held and is gone afterwards; a file that was left behind means nothing', async () => {
    const box = { device: 1, inode: 2 }
    await writeFile(join(dir, '.1.2'), '4712')
    const lock = await tryNameLock(context(), box, say)
    expect(lock.state).toBe('locked')
    if (lock.state === 'locked') await lock.release()
    expect(await readdir(dir)).toEqual(['box'])
    const again = await tryNameLock(context(), box, say, true)
    expect((await stat(join(dir, '.1.2'))).mode & 0o777).toBe(0o666)
    expect(await readFile(join(dir, '.1.2'), 'latin1')).toBe(ours({ pid: 4711, kind: 'flock' }))
    expect((await tryNameLock(context(), box, say)).state).toBe('brief')
    if (again.state === 'locked') await again.release()
    const mute = await tryNameLock(context({}, { bearsAsking: () => false }), box, say, true)
    expect([mute.state, await readFile(join(dir, '.1.2'), 'latin1')]).toEqual(['locked', ''])
    if (mute.state === 'locked') await mute.release()
  })

  test('an owner lock that cannot be made is told to the operator and the session, and the mailbox is used without it', async () => {
    const lock = await tryNameLock(context({ lockDirectory: join(dir, 'missing') }), { device: 1, inode: 2 }, say)
    expect(lock.state).toBe('unavailable')
    expect(logged).toEqual([expect.stringMatching(/^Mailbox lock file .*missing\/\.1\.2 open failure: ENOENT/)])
    expect(said).toEqual([expect.stringMatching(/^Can't lock for write: ENOENT/)])
  })

  test.runIf(native)('a lock file that a process of another user just makes, and that is not yet for all, is waited for; one that never was is not', async () => {
    const box = { device: 1, inode: 2 }
    const path = join(dir, '.1.2')
    const refused = (): never => {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    }
    // As another user finds it whose umask leaves nobody else the right to write.
    const others = changed(files, { open: async (name, how) => (name === path && how?.create === undefined && ((await stat(path)).mode & 0o666) !== 0o666 ? refused() : files.open(name, how)) })
    await writeFile(path, '', { mode: 0o644 })
    expect((await tryNameLock(context({}, {}, others), box, say)).state).toBe('brief')
    expect([said, logged]).toEqual([[], []])
    let looks = 0
    const soon = changed(others, {
      lstat: async (name) => {
        const there = await files.lstat(name)
        if (name === path && ++looks === 2) await chmod(path, 0o666)
        return there
      },
    })
    const lock = await takeNameLock(context({}, {}, soon), box, { ask: false }, never, say)
    expect(lock.state).toBe('locked')
    if (lock.state === 'locked') await lock.release()
    await writeFile(path, '', { mode: 0o644 })
    clock.ms += 60_000
    expect((await tryNameLock(context({}, {}, others), box, say)).state).toBe('unavailable')
    expect(said).toEqual([expect.stringContaining('must have 1777 protection')])
  })

  test.runIf(native)('a program that has the mailbox open is respected', async () => {
    await writeFile(join(dir, '.1.2'), '')
    const letGo = await holder('flock', join(dir, '.1.2'), '4712')
    expect((await tryNameLock(context(), { device: 1, inode: 2 }, say)).state).toBe('busy')
    await letGo()
    const lock = await tryNameLock(context(), { device: 1, inode: 2 }, say)
    expect(lock.state).toBe('locked')
    if (lock.state === 'locked') await lock.release()
  })

  describe.runIf(native && process.platform === 'linux')('a program that has the mailbox open and says its process', () => {
    const asking = { ask: true } as const
    /** The lock file of device 1, and of inode 2, with another program that holds it. */
    async function opened(content: string, yields = false): Promise<{ readonly heard: string[]; readonly pid: number; letGo(): Promise<void> }> {
      await writeFile(join(dir, '.1.2'), '')
      const letGo = await holder('flock', join(dir, '.1.2'), content, yields)
      const child = children.at(-1)
      const heard: string[] = []
      child?.stdout?.on('data', (d: Buffer) => heard.push(d.toString()))
      return { heard, pid: child?.pid ?? 0, letGo }
    }
    const box = { device: 1, inode: 2 }
    /** Real signals, sent to whom the test allows. */
    const real = (): Partial<Machine> => ({ ask: (pid) => thisMachine().ask(pid) })

    test('is asked to give up once, and is waited for', async () => {
      const { heard, pid } = await opened('pid', true)
      const ctx = { ...context({}, real()), clock: systemClock }
      const lock = await takeNameLock(ctx, box, asking, never, say)
      expect([lock.state, said, heard]).toEqual(['locked', [`Trying to get mailbox lock from process ${pid}`], ['asked\n']])
      expect(logged).toEqual(['another program was asked to give up a mailbox', 'another program gave up a mailbox'])
      expect(ctx.refusals.size).toBe(0)
      if (lock.state === 'locked') await lock.release()
    })

    test('and does not give up is respected after fifteen tries, and not asked again for a while', async () => {
      let asked = 0
      const { pid, letGo } = await opened('pid')
      const ctx = context({}, { ask: () => ++asked > 0 })
      const began = clock.ms
      expect((await takeNameLock(ctx, box, asking, never, say)).state).toBe('busy')
      expect([clock.ms - began, asked, said]).toEqual([15_000, 1, [`Trying to get mailbox lock from process ${pid}`]])
      expect((await takeNameLock(ctx, box, asking, never, say)).state).toBe('busy')
      expect([clock.ms - began, asked]).toEqual([15_000, 1])
      clock.ms += 300_000
      expect((await takeNameLock(ctx, box, asking, never, say)).state).toBe('busy')
      expect(asked).toBe(2)
      await letGo()
    })

    const spared = [
      { name: 'by an operation that asks nobody', content: 'pid', how: { ask: false }, settings: {}, machine: {} },
      { name: 'where the setting says no', content: 'pid', how: asking, settings: { askOwner: false }, machine: {} },
      { name: 'when the number is that of a process that does not hold the lock', content: String(process.ppid), how: asking, settings: {}, machine: {} },
      { name: 'when the number is 1', content: '1', how: asking, settings: {}, machine: {} },
      { name: 'when the number is our own', content: '4711', how: asking, settings: {}, machine: {} },
      { name: 'when there is no number', content: 'nobody', how: asking, settings: {}, machine: {} },
      { name: 'when the signal may not be sent', content: 'pid', how: asking, settings: {}, machine: { ask: () => false } },
    ]
    test.each(spared)('is not asked $name', async ({ content, how, settings, machine }) => {
      let asked = 0
      const { letGo } = await opened(content)
      const began = clock.ms
      const lock = await takeNameLock(context(settings, { ask: () => ++asked > 0, ...machine }), box, how, never, say)
      expect([lock.state, clock.ms - began, asked, said]).toEqual(['busy', 0, 0, []])
      await letGo()
    })

    test('but holds it for one operation only is waited for, and not asked', async () => {
      const { letGo } = await opened(ours({ pid: 4712, kind: 'flock' }))
      const { using, tries } = goneAtThird(nameLockPath(dir, box), letGo)
      const lock = await takeNameLock(context({}, {}, using), box, asking, never, say)
      expect([lock.state, said, tries() >= 3]).toEqual(['locked', [], true])
      if (lock.state === 'locked') await lock.release()
    })
  })

  test('symbolic and hard links on the name lock are refused', async () => {
    await symlink(join(dir, 'box'), join(dir, '.1.2'))
    expect((await tryNameLock(context(), { device: 1, inode: 2 }, say)).state).toBe('busy')
    await link(join(dir, 'box'), join(dir, '.1.3'))
    expect((await tryNameLock(context(), { device: 1, inode: 3 }, say)).state).toBe('busy')
    expect(said.map((s) => s.split(':')[0])).toEqual(['SECURITY PROBLEM', 'SECURITY PROBLEM'])
  })

  test.runIf(native).each(['flock', 'fcntl'])('a mailbox under the %s of another program is waited for, and nothing is held meanwhile', async (kind) => {
    const letGo = await holder(kind, join(dir, 'box'))
    const between: string[][] = []
    const { using, tries } = goneAtThird(join(dir, 'box'), letGo)
    // The dot-lock is given back before each pause.
    const pausing = { ...clock, now: () => clock.now(), steady: () => clock.steady(), after: (ms: number, work: () => void) => (between.push(readdirSync(dir)), clock.after(ms, work)) }
    const held = await openLocked({ ...context({}, {}, using), clock: pausing }, join(dir, 'box'), 'exclusive', never, say)
    expect([tries(), between]).toEqual([3, [['box'], ['box']]])
    expect(await readdir(dir)).toEqual(['box', 'box.lock'])
    await held.close()
    expect(await readdir(dir)).toEqual(['box'])
  })

  test.runIf(native)('a lock that never comes ends with in-use', async () => {
    const letGo = await holder('flock', join(dir, 'box'))
    await expect(openLocked(context(), join(dir, 'box'), 'exclusive', never, say)).rejects.toMatchObject({ kind: 'in-use' })
    expect(await readdir(dir)).toEqual(['box'])
    await letGo()
  })
})
