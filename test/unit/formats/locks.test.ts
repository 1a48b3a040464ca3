import { spawn, type ChildProcess } from 'node:child_process'
import { chmod, link, mkdtemp, readdir, readFile, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { takeDotLock } from '../../../plugins/formats/shared/dot-lock.js'
import { openLocked } from '../../../plugins/formats/shared/mailbox-lock.js'
import { nameLockPath, tryNameLock } from '../../../plugins/formats/shared/name-lock.js'
import type { LockContext } from '../../../plugins/formats/shared/lock-context.js'
import { lockSettings, never, TestClock } from '../../support/unix.js'

const native = await nativeLocks()
const HOLDER = fileURLToPath(new URL('../../support/lock-holder.mjs', import.meta.url))

describe('locks of traditional mailboxes', () => {
  let dir = ''
  let said: string[] = []
  let clock = new TestClock(Date.now())
  const children: ChildProcess[] = []
  const files = new SystemFiles(native)
  const say = (_severity: string, text: string): void => void said.push(text)
  const context = (change: Partial<LockContext['settings']> = {}): LockContext => ({
    files,
    clock,
    random: (n) => new Uint8Array(n),
    settings: { ...lockSettings, lockDirectory: dir, ...change },
    machine: { host: 'mail.example.org', pid: 4711 },
  })
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-locks-'))
    said = []
    clock = new TestClock(Date.now())
    await writeFile(join(dir, 'box'), 'x')
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill()
    await rm(dir, { recursive: true, force: true })
  })
  /** Another program that holds a lock until it is let go. */
  async function holder(kind: string, path: string, content?: string): Promise<() => Promise<void>> {
    const child = spawn(process.execPath, [HOLDER, kind, path, ...(content === undefined ? [] : [content])], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (d: Buffer) => resolve(d.toString())))
    expect(line).toBe('locked\n')
    return () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.stdin.end()
      })
  }

  test('the dot-lock is an empty file of mode 0666, made by link, without its hitching post, and gone afterwards', async () => {
    const lock = await takeDotLock(context(), join(dir, 'box'), never, say)
    const made = await stat(join(dir, 'box.lock'))
    expect([lock.state, made.size, made.mode & 0o777, await readdir(dir)]).toEqual(['locked', 0, 0o666, ['box', 'box.lock']])
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

  test('a lock that stays is seized after the timeout', async () => {
    await writeFile(join(dir, 'box.lock'), '')
    const refresh = setInterval(() => void chmod(join(dir, 'box.lock'), 0o666).catch(() => undefined), 1)
    clock.ms = Date.now() - lockSettings.dotlockTimeoutMs * 2
    const lock = await takeDotLock(context(), join(dir, 'box'), never, say)
    clearInterval(refresh)
    expect(lock.state).toBe('locked')
    expect(said.at(-1)).toBe(`Mailbox ${join(dir, 'box')} lock overridden`)
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

  test('the name lock bears device and inode in hexadecimal', () => {
    expect(nameLockPath('/tmp', { device: 0xfe00, inode: 0x21e5fa })).toBe('/tmp/.fe00.21e5fa')
  })

  test.runIf(native)('the name lock is empty while it is held and gone afterwards; a file that was left behind means nothing', async () => {
    const box = { device: 1, inode: 2 }
    await writeFile(join(dir, '.1.2'), '4712')
    const lock = await tryNameLock(context(), box, say)
    expect(lock.state).toBe('locked')
    if (lock.state === 'locked') await lock.release()
    expect(await readdir(dir)).toEqual(['box'])
    const again = await tryNameLock(context(), box, say)
    expect((await stat(join(dir, '.1.2'))).mode & 0o777).toBe(0o666)
    expect(await readFile(join(dir, '.1.2'), 'latin1')).toBe('')
    expect((await tryNameLock(context(), box, say)).state).toBe('brief')
    if (again.state === 'locked') await again.release()
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

  test('symbolic and hard links on the name lock are refused', async () => {
    await symlink(join(dir, 'box'), join(dir, '.1.2'))
    expect((await tryNameLock(context(), { device: 1, inode: 2 }, say)).state).toBe('busy')
    await link(join(dir, 'box'), join(dir, '.1.3'))
    expect((await tryNameLock(context(), { device: 1, inode: 3 }, say)).state).toBe('busy')
    expect(said.map((s) => s.split(':')[0])).toEqual(['SECURITY PROBLEM', 'SECURITY PROBLEM'])
  })

  test.runIf(native).each(['flock', 'fcntl'])('a mailbox under the %s of another program is waited for, and nothing is held meanwhile', async (kind) => {
    const letGo = await holder(kind, join(dir, 'box'))
    let tries = 0
    const random = (n: number): Uint8Array => {
      tries++
      // The dot-lock is given back before each pause.
      if (tries === 3) void letGo()
      return new Uint8Array(n)
    }
    const held = await openLocked({ ...context(), random }, join(dir, 'box'), 'exclusive', never, say)
    expect(tries).toBeGreaterThanOrEqual(3)
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
