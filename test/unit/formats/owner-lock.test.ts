import { chmod, link, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { nameLockPath, takeNameLock, tryNameLock } from '../../../plugins/formats/shared/locks/name-lock.js'
import { thisMachine, type Machine } from '../../../plugins/formats/shared/machine.js'
import { changed, LockSite, native, ours } from '../../support/lock-site.js'
import { never } from '../../support/unix.js'

// The lock of whoever has a mailbox open: a file in the lock directory, named by device and inode.

const site = new LockSite()

test('the name lock bears device and inode in hexadecimal', () => {
  expect(nameLockPath('/tmp', { device: 0xfe00, inode: 0x21e5fa })).toBe('/tmp/.fe00.21e5fa')
})

test.runIf(native)('the name lock names its holder while it is held and is gone afterwards; a file that was left behind means nothing', async () => {
  const box = { device: 1, inode: 2 }
  await writeFile(join(site.dir, '.1.2'), '4712')
  const lock = await tryNameLock(site.context(), box, site.say)
  expect(lock.state).toBe('locked')
  if (lock.state === 'locked') await lock.release()
  expect(await readdir(site.dir)).toEqual(['box'])
  const again = await tryNameLock(site.context(), box, site.say, true)
  expect((await stat(join(site.dir, '.1.2'))).mode & 0o777).toBe(0o666)
  expect(await readFile(join(site.dir, '.1.2'), 'latin1')).toBe(ours({ pid: 4711, kind: 'flock' }))
  expect((await tryNameLock(site.context(), box, site.say)).state).toBe('brief')
  if (again.state === 'locked') await again.release()
  const mute = await tryNameLock(site.context({}, { bearsAsking: () => false }), box, site.say, true)
  expect([mute.state, await readFile(join(site.dir, '.1.2'), 'latin1')]).toEqual(['locked', ''])
  if (mute.state === 'locked') await mute.release()
})

test('an owner lock that cannot be made is told to the operator and the session, and the mailbox is used without it', async () => {
  const lock = await tryNameLock(site.context({ lockDirectory: join(site.dir, 'missing') }), { device: 1, inode: 2 }, site.say)
  expect(lock.state).toBe('unavailable')
  expect(site.logged).toEqual([expect.stringMatching(/^Mailbox lock file .*missing\/\.1\.2 open failure: ENOENT/)])
  expect(site.said).toEqual([expect.stringMatching(/^Can't lock for write: ENOENT/)])
})

test.runIf(native)('a lock file that a process of another user just makes, and that is not yet for all, is waited for; one that never was is not', async () => {
  const box = { device: 1, inode: 2 }
  const path = join(site.dir, '.1.2')
  const refused = (): never => {
    throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  }
  // As another user finds it whose umask leaves nobody else the right to write.
  const others = changed(site.files, { open: async (name, how) => (name === path && how?.create === undefined && ((await stat(path)).mode & 0o666) !== 0o666 ? refused() : site.files.open(name, how)) })
  await writeFile(path, '', { mode: 0o644 })
  expect((await tryNameLock(site.context({}, {}, others), box, site.say)).state).toBe('brief')
  expect([site.said, site.logged]).toEqual([[], []])
  let looks = 0
  const soon = changed(others, {
    lstat: async (name) => {
      const there = await site.files.lstat(name)
      if (name === path && ++looks === 2) await chmod(path, 0o666)
      return there
    },
  })
  const lock = await takeNameLock(site.context({}, {}, soon), box, { ask: false }, never, site.say)
  expect(lock.state).toBe('locked')
  if (lock.state === 'locked') await lock.release()
  await writeFile(path, '', { mode: 0o644 })
  site.clock.ms += 60_000
  expect((await tryNameLock(site.context({}, {}, others), box, site.say)).state).toBe('unavailable')
  expect(site.said).toEqual([expect.stringContaining('must have 1777 protection')])
})

test.runIf(native)('a program that has the mailbox open is respected', async () => {
  await writeFile(join(site.dir, '.1.2'), '')
  const letGo = await site.holder('flock', join(site.dir, '.1.2'), '4712')
  expect((await tryNameLock(site.context(), { device: 1, inode: 2 }, site.say)).state).toBe('busy')
  await letGo()
  const lock = await tryNameLock(site.context(), { device: 1, inode: 2 }, site.say)
  expect(lock.state).toBe('locked')
  if (lock.state === 'locked') await lock.release()
})

describe.runIf(native && process.platform === 'linux')('a program that has the mailbox open and says its process', () => {
  const asking = { ask: true } as const
  /** The lock file of device 1, and of inode 2, with another program that holds it. */
  async function opened(content: string, yields = false): Promise<{ readonly heard: string[]; readonly pid: number; letGo(): Promise<void> }> {
    await writeFile(join(site.dir, '.1.2'), '')
    const letGo = await site.holder('flock', join(site.dir, '.1.2'), content, yields)
    const child = site.children.at(-1)
    const heard: string[] = []
    child?.stdout?.on('data', (d: Buffer) => heard.push(d.toString()))
    return { heard, pid: child?.pid ?? 0, letGo }
  }
  const box = { device: 1, inode: 2 }
  /** Real signals, sent to whom the test allows. */
  const real = (): Partial<Machine> => ({ ask: (pid) => thisMachine().ask(pid) })

  test('is asked to give up once, and is waited for', async () => {
    const { heard, pid } = await opened('pid', true)
    const ctx = { ...site.context({}, real()), clock: systemClock }
    const lock = await takeNameLock(ctx, box, asking, never, site.say)
    expect([lock.state, site.said, heard]).toEqual(['locked', [`Trying to get mailbox lock from process ${pid}`], ['asked\n']])
    expect(site.logged).toEqual(['another program was asked to give up a mailbox', 'another program gave up a mailbox'])
    expect(ctx.refusals.size).toBe(0)
    if (lock.state === 'locked') await lock.release()
  })

  test('and does not give up is respected after fifteen tries, and not asked again for a while', async () => {
    let asked = 0
    const { pid, letGo } = await opened('pid')
    const ctx = site.context({}, { ask: () => ++asked > 0 })
    const began = site.clock.ms
    expect((await takeNameLock(ctx, box, asking, never, site.say)).state).toBe('busy')
    expect([site.clock.ms - began, asked, site.said]).toEqual([15_000, 1, [`Trying to get mailbox lock from process ${pid}`]])
    expect((await takeNameLock(ctx, box, asking, never, site.say)).state).toBe('busy')
    expect([site.clock.ms - began, asked]).toEqual([15_000, 1])
    site.clock.ms += 300_000
    expect((await takeNameLock(ctx, box, asking, never, site.say)).state).toBe('busy')
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
    const began = site.clock.ms
    const lock = await takeNameLock(site.context(settings, { ask: () => ++asked > 0, ...machine }), box, how, never, site.say)
    expect([lock.state, site.clock.ms - began, asked, site.said]).toEqual(['busy', 0, 0, []])
    await letGo()
  })

  test('but holds it for one operation only is waited for, and not asked', async () => {
    const { letGo } = await opened(ours({ pid: 4712, kind: 'flock' }))
    const { using, tries } = site.goneAtThird(nameLockPath(site.dir, box), letGo)
    const lock = await takeNameLock(site.context({}, {}, using), box, asking, never, site.say)
    expect([lock.state, site.said, tries() >= 3]).toEqual(['locked', [], true])
    if (lock.state === 'locked') await lock.release()
  })
})

test('symbolic and hard links on the name lock are refused', async () => {
  await symlink(join(site.dir, 'box'), join(site.dir, '.1.2'))
  expect((await tryNameLock(site.context(), { device: 1, inode: 2 }, site.say)).state).toBe('busy')
  await link(join(site.dir, 'box'), join(site.dir, '.1.3'))
  expect((await tryNameLock(site.context(), { device: 1, inode: 3 }, site.say)).state).toBe('busy')
  expect(site.said.map((s) => s.split(':')[0])).toEqual(['SECURITY PROBLEM', 'SECURITY PROBLEM'])
})
