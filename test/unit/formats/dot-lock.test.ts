import { readdirSync } from 'node:fs'
import { chmod, readdir, readFile, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MailError, type Files, type Locker } from '../../../core/api/index.js'
import { takeDotLock } from '../../../plugins/formats/shared/locks/dot-lock.js'
import { openLocked } from '../../../plugins/formats/shared/locks/mailbox-lock.js'
import { changed, LockSite, native, ours } from '../../support/lock-site.js'
import { lockSettings, never } from '../../support/unix.js'

// The dot-lock of traditional mailboxes, and the kernel locks that are taken under it.

const site = new LockSite()
/** Files of a machine or file system without kernel locks. */
function flockless(files: Files): Files {
  return changed(files, { open: async (path, how) => Object.assign(await files.open(path, how), { lock: () => 'unavailable' as const, unlock: () => undefined }) })
}

test('the dot-lock names its holder, has mode 0666, is made by link, without its hitching post, and is gone afterwards', async () => {
  const lock = await takeDotLock(site.context(), join(site.dir, 'box'), never, site.say)
  const [made, content] = [await stat(join(site.dir, 'box.lock')), await readFile(join(site.dir, 'box.lock'), 'latin1')]
  expect([lock.state, content, made.mode & 0o777]).toEqual(['locked', ours(), 0o666])
  // Nobody waits for its first name to go, which it does while the lock is held.
  await expect.poll(() => readdir(site.dir)).toEqual(['box', 'box.lock'])
  if (lock.state === 'locked') await lock.release()
  expect(await readdir(site.dir)).toEqual(['box'])
  expect(site.said).toEqual([])
})

test('a young lock is waited for, with a warning, until it is gone', async () => {
  await writeFile(join(site.dir, 'box.lock'), '')
  const lock = await takeDotLock(site.context(), join(site.dir, 'box'), never, (severity, text) => {
    site.say(severity, text)
    if (/will override in \d+ seconds/.test(text)) void unlink(join(site.dir, 'box.lock'))
  })
  if (lock.state === 'locked') await lock.release()
  expect(lock.state).toBe('locked')
  expect(site.said[0]).toMatch(/^Mailbox .*box is locked, will override in \d+ seconds\.\.\.$/)
})

test('a lock as old as the timeout by its ctime is overridden at once; an old mtime alone means nothing', async () => {
  await writeFile(join(site.dir, 'box.lock'), '')
  await site.files.setTimes(join(site.dir, 'box.lock'), 0, 0)
  site.clock.ms = Date.now() + lockSettings.dotlockTimeoutMs + 1000
  const lock = await takeDotLock(site.context(), join(site.dir, 'box'), never, site.say)
  expect([lock.state, site.said.at(-1)]).toEqual(['locked', `Mailbox ${join(site.dir, 'box')} lock overridden`])
  expect(site.said.filter((s) => s.includes('seizing'))).toEqual([])
})

test('a lock that was seen unchanged for the timeout is seized, whatever its time says', async () => {
  await writeFile(join(site.dir, 'box.lock'), '')
  // The clock of the file's machine goes wrong: by its time the lock is never old.
  site.clock.ms = Date.now() - lockSettings.dotlockTimeoutMs * 2
  const began = site.clock.ms
  const lock = await takeDotLock(site.context(), join(site.dir, 'box'), never, site.say)
  expect(lock.state).toBe('locked')
  expect(site.clock.ms - began).toBeGreaterThanOrEqual(lockSettings.dotlockTimeoutMs)
  expect(site.said.slice(-2)).toEqual(['Mailbox vulnerable - seizing 0 second old lock', `Mailbox ${join(site.dir, 'box')} lock overridden`])
})

test('locks that follow each other, or are renewed, are never seized: the mailbox is in use', async () => {
  await writeFile(join(site.dir, 'box.lock'), '')
  let inode = 0
  const passedOn = changed(site.files, {
    lstat: async (path) => {
      const there = await site.files.lstat(path)
      return there !== undefined && path.endsWith('box.lock') ? { ...there, inode: ++inode, ctimeMs: site.clock.ms } : there
    },
  })
  await expect(openLocked(site.context({}, {}, passedOn), join(site.dir, 'box'), 'exclusive', never, site.say)).rejects.toMatchObject({ kind: 'in-use' })
  expect(await readdir(site.dir)).toEqual(['box', 'box.lock'])
  expect(site.said.filter((text) => /seizing|overridden/.test(text))).toEqual([])
})

const left = [
  { name: 'the flock of the holder is free, whoever has its number now', content: { kind: 'flock' }, machine: { exists: () => true }, flock: true },
  { name: 'the flock is free, and the number is that of this process', content: { kind: 'flock', pid: 4711 }, machine: {}, flock: true },
  { name: 'no flock to be had, and nobody has its number', content: { kind: 'flock' }, machine: { exists: () => false }, flock: false },
  { name: 'no flock to be had, and the number is that of this process, which began later', content: { kind: 'pid', pid: 4711, born: 0 }, machine: { exists: () => true }, flock: false },
] as const
test.each(left)('a lock that this server left behind is overridden at once: $name', async ({ content, machine, flock }) => {
  await writeFile(join(site.dir, 'box.lock'), ours(content))
  const using = flock && native !== undefined ? site.files : flockless(site.files)
  const began = site.clock.ms
  const lock = await takeDotLock(site.context({}, machine, using), join(site.dir, 'box'), never, site.say)
  if (flock && native === undefined) return
  expect(site.clock.ms).toBe(began)
  expect(lock.state).toBe('locked')
  const text = `Mailbox ${join(site.dir, 'box')} lock of process ${'pid' in content ? content.pid : 4712}, which is gone, overridden`
  expect([site.said, site.logged]).toEqual([[text], [text]])
  expect(await readFile(join(site.dir, 'box.lock'), 'latin1')).toContain('4711:mail.example.org\0')
  if (lock.state === 'locked') await lock.release()
  expect(await readdir(site.dir)).toEqual(['box'])
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
  await writeFile(join(site.dir, 'box.lock'), text)
  const stop = new AbortController()
  const waiting = takeDotLock(site.context({}, machine, flock ? site.files : flockless(site.files)), join(site.dir, 'box'), stop.signal, (severity, line) => {
    site.say(severity, line)
    stop.abort(new Error('enough'))
  })
  await expect(waiting).rejects.toThrow('enough')
  expect(await readFile(join(site.dir, 'box.lock'), 'latin1')).toBe(text)
  expect(site.said).toEqual([expect.stringMatching(/^Mailbox .*box is locked, will override in \d+ seconds\.\.\.$/)])
})

test.runIf(native)('a lock of ours is respected as long as its holder has it, and gone with kill -9', async () => {
  await writeFile(join(site.dir, 'box.lock'), '')
  const letGo = await site.holder('flock', join(site.dir, 'box.lock'), ours({ kind: 'flock' }))
  const stop = new AbortController()
  const waiting = takeDotLock(site.context(), join(site.dir, 'box'), stop.signal, () => stop.abort(new Error('enough')))
  await expect(waiting).rejects.toThrow('enough')
  const child = site.children[0]
  const gone = new Promise((resolve) => child?.once('exit', resolve))
  child?.kill('SIGKILL')
  await gone
  const began = site.clock.ms
  const lock = await takeDotLock(site.context(), join(site.dir, 'box'), never, site.say)
  expect([lock.state, site.clock.ms, site.logged.filter((text) => text.includes('overridden')).length]).toEqual(['locked', began, 1])
  if (lock.state === 'locked') await lock.release()
  void letGo
})

test('where flock is not to be used it is not used on lock files either', async () => {
  const lock = await takeDotLock(site.context({ kernelLocks: ['fcntl'] }), join(site.dir, 'box'), never, site.say)
  expect(await readFile(join(site.dir, 'box.lock'), 'latin1')).toBe(ours({ pid: 4711, kind: 'pid' }))
  if (lock.state === 'locked') await lock.release()
})

test.runIf(native)('many that find the same lock left behind take it one after the other', async () => {
  await writeFile(join(site.dir, 'box.lock'), ours({ kind: 'flock' }))
  let inside = 0
  const use = async (n: number): Promise<void> => {
    // Each as a process of its own would see it.
    const lock = await takeDotLock(site.context({}, { pid: 5000 + n, exists: () => true }), join(site.dir, 'box'), never, site.say)
    expect([lock.state, ++inside]).toEqual(['locked', 1])
    await readdir(site.dir)
    expect(await readFile(join(site.dir, 'box.lock'), 'latin1')).toContain(`${5000 + n}:`)
    inside--
    if (lock.state === 'locked') await lock.release()
  }
  await Promise.all(Array.from({ length: 9 }, (_, n) => use(n)))
  expect(site.logged.filter((text) => text.includes('overridden'))).toHaveLength(1)
  expect(await readdir(site.dir)).toEqual(['box'])
})

test('whoever judged a lock does not remove the one that came after it', async () => {
  await writeFile(join(site.dir, 'box.lock'), ours({ kind: 'pid' }))
  const stop = new AbortController()
  let swapped = false
  // Another process overrides it between the judgement and the removal.
  const racing = changed(site.files, {
    open: async (path, how) => {
      if (path.endsWith('.override') && !swapped) {
        swapped = true
        await unlink(join(site.dir, 'box.lock'))
        await writeFile(join(site.dir, 'box.lock'), ours({ kind: 'pid', pid: 6000 }))
      }
      return flockless(site.files).open(path, how)
    },
  })
  const waiting = takeDotLock(site.context({}, { exists: (pid) => pid === 6000 }, racing), join(site.dir, 'box'), stop.signal, () => stop.abort(new Error('enough')))
  await expect(waiting).rejects.toThrow('enough')
  expect(swapped).toBe(true)
  expect(await readFile(join(site.dir, 'box.lock'), 'latin1')).toBe(ours({ kind: 'pid', pid: 6000 }))
  expect((await readdir(site.dir)).toSorted()).toEqual(['box', 'box.lock'])
})

test('a guard that was left behind is removed, and then the lock', async () => {
  await writeFile(join(site.dir, 'box.lock'), ours({ kind: 'pid' }))
  await writeFile(join(site.dir, 'box.lock.0.0.override'), '')
  const lock = await takeDotLock(site.context({}, {}, flockless(site.files)), join(site.dir, 'box'), never, site.say)
  expect(lock.state).toBe('locked')
  if (lock.state === 'locked') await lock.release()
  expect(await readdir(site.dir)).toEqual(['box'])
})

test('hitching posts of processes that are gone are removed, those of others stay', async () => {
  const now = Math.floor(Date.now() / 1000)
  const gone = [`box.lock.${now}.4712.mail.example.org`, `other.lock.${now - 1000}.4713.mail.example.org`, `third.lock.0.4711.mail.example.org`]
  const stay = [`box.lock.${now}.4713.mail.example.org`, `box.lock.${now - 1000}.4712.other.example.org`, `box.lock.${now}.4711.mail.example.org`, 'box.lock.txt']
  for (const name of [...gone, ...stay]) await writeFile(join(site.dir, name), '')
  const lock = await takeDotLock(site.context({}, { exists: (pid) => pid === 4713, bornMs: 10_000 }), join(site.dir, 'another'), never, site.say)
  if (lock.state === 'locked') await lock.release()
  expect(await readdir(site.dir)).toEqual([...stay, 'box'].toSorted())
})

test('who held a lock so long that it was overridden does not remove the lock of the next', async () => {
  const lock = await takeDotLock(site.context(), join(site.dir, 'box'), never, site.say)
  await unlink(join(site.dir, 'box.lock'))
  await writeFile(join(site.dir, 'box.lock'), 'next')
  site.clock.ms += 60_000
  if (lock.state === 'locked') await lock.release()
  expect(await readFile(join(site.dir, 'box.lock'), 'latin1')).toBe('next')
})

test('a symbolic link in place of the lock is refused, and the signal ends the waiting', async () => {
  await symlink(join(site.dir, 'box'), join(site.dir, 'box.lock'))
  expect((await takeDotLock(site.context(), join(site.dir, 'box'), never, site.say)).state).toBe('refused')
  await unlink(join(site.dir, 'box.lock'))
  await writeFile(join(site.dir, 'box.lock'), '')
  const stop = new AbortController()
  const waiting = takeDotLock(site.context(), join(site.dir, 'box'), stop.signal, site.say)
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

test.each(['ENOSPC', 'EDQUOT'])('a disk without room for the name of the lock leaves the mailbox vulnerable at once, and nothing behind: %s', async (code) => {
  const began = site.clock.ms
  const files = changed(site.files, { link: () => Promise.reject(Object.assign(new Error(`${code}: link`), { code })) })
  expect((await takeDotLock({ ...site.context(), files }, join(site.dir, 'box'), never, site.say)).state).toBe('vulnerable')
  expect(site.clock.ms).toBe(began)
  expect(site.said.join()).toContain(code)
  expect(await readdir(site.dir)).toEqual(['box'])
})
test('a folder that takes no files leaves the mailbox vulnerable, and says what to do', async () => {
  await chmod(site.dir, 0o555)
  // No permission holds root back.
  const root = process.getuid?.() === 0
  if (root) process.seteuid?.(65_534)
  try {
    expect((await takeDotLock(site.context(), join(site.dir, 'box'), never, site.say)).state).toBe('vulnerable')
    expect(site.said).toEqual([`Mailbox vulnerable - directory ${site.dir} must have 1777 protection`])
    site.said = []
    expect((await takeDotLock(site.context({ warnUnlocked: false }), join(site.dir, 'box'), never, site.say)).state).toBe('vulnerable')
    expect(site.said).toEqual([])
  } finally {
    if (root) process.seteuid?.(0)
    await chmod(site.dir, 0o755)
  }
})

describe('a folder that takes no files, and somebody who may make them', () => {
  /** Without the right to the folder, which root has always. */
  async function unprivileged<T>(work: () => Promise<T>): Promise<T> {
    await chmod(site.dir, 0o555)
    const root = process.getuid?.() === 0
    if (root) process.seteuid?.(65_534)
    try {
      return await work()
    } finally {
      if (root) process.seteuid?.(0)
      await chmod(site.dir, 0o755)
    }
  }
  const none: Locker = { lock: () => Promise.resolve(undefined) }
  test('those who can are asked in their order, and hold the lock until it is released', async () => {
    const steps: string[] = []
    const one: Locker = { lock: (mailbox) => Promise.resolve({ release: async () => void steps.push(`released ${mailbox}`) }) }
    const lock = await unprivileged(() => takeDotLock({ ...site.context(), lockers: [none, one] }, join(site.dir, 'box'), never, site.say))
    expect(lock.state).toBe('locked')
    if (lock.state === 'locked') await lock.release()
    expect(steps).toEqual([`released ${join(site.dir, 'box')}`])
    expect(site.said).toEqual([])
  })
  test('when none can, the mailbox is vulnerable as ever', async () => {
    expect((await unprivileged(() => takeDotLock({ ...site.context(), lockers: [none] }, join(site.dir, 'box'), never, site.say))).state).toBe('vulnerable')
    expect(site.said).toEqual([`Mailbox vulnerable - directory ${site.dir} must have 1777 protection`])
  })
  test('when another program has the lock, the mailbox is in use', async () => {
    const taken: Locker = { lock: () => Promise.reject(new MailError('in-use', 'taken')) }
    expect((await unprivileged(() => takeDotLock({ ...site.context(), lockers: [taken] }, join(site.dir, 'box'), never, site.say))).state).toBe('busy')
  })
  test('nobody is asked where the folder takes files', async () => {
    const asked: Locker = { lock: () => Promise.reject(new Error('asked')) }
    const lock = await takeDotLock({ ...site.context(), lockers: [asked] }, join(site.dir, 'box'), never, site.say)
    expect(lock.state).toBe('locked')
    if (lock.state === 'locked') await lock.release()
  })
})

test.runIf(native).each(['flock', 'fcntl'])('a mailbox under the %s of another program is waited for, and nothing is held meanwhile', async (kind) => {
  const letGo = await site.holder(kind, join(site.dir, 'box'))
  const between: string[][] = []
  const { using, tries } = site.goneAtThird(join(site.dir, 'box'), letGo)
  // The dot-lock is given back before each pause.
  const pausing = { ...site.clock, now: () => site.clock.now(), steady: () => site.clock.steady(), after: (ms: number, work: () => void) => (between.push(readdirSync(site.dir)), site.clock.after(ms, work)) }
  const held = await openLocked({ ...site.context({}, {}, using), clock: pausing }, join(site.dir, 'box'), 'exclusive', never, site.say)
  expect([tries(), between]).toEqual([3, [['box'], ['box']]])
  expect(await readdir(site.dir)).toEqual(['box', 'box.lock'])
  await held.close()
  expect(await readdir(site.dir)).toEqual(['box'])
})

test.runIf(native)('a lock that never comes ends with in-use', async () => {
  const letGo = await site.holder('flock', join(site.dir, 'box'))
  await expect(openLocked(site.context(), join(site.dir, 'box'), 'exclusive', never, site.say)).rejects.toMatchObject({ kind: 'in-use' })
  expect(await readdir(site.dir)).toEqual(['box'])
  await letGo()
})
