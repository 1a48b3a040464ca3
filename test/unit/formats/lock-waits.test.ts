import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { takeDotLock } from '../../../plugins/formats/shared/locks/dot-lock.js'
import { holderText } from '../../../plugins/formats/shared/locks/holder.js'
import { fileLocks, type FileLocks } from '../../../plugins/formats/shared/locks/locks.js'
import { openLocked } from '../../../plugins/formats/shared/locks/mailbox-lock.js'
import { nameLockPath, takeNameLock } from '../../../plugins/formats/shared/locks/name-lock.js'
import { MailboxFile } from '../../../plugins/formats/shared/text/mailbox-file.js'
import { alice, lockSettings, never, TestClock, testMachine, unixContext } from '../../support/unix.js'

// Nobody waits for a lock in silence: who waits is told what for, and the operator too.

const HOLDER = fileURLToPath(new URL('../../support/lock-holder.mjs', import.meta.url))
const native = await nativeLocks()
const files = new SystemFiles(native)

let dir = ''
let box = ''
let said: string[] = []
let logged: string[] = []
let clock = new TestClock(Date.now())
let holder: ChildProcess | undefined
const say = (severity: string, text: string): void => void said.push(`${severity}: ${text.replaceAll(box, 'BOX')}`)
const locks = (): FileLocks =>
  fileLocks({
    files, clock, random: (n) => new Uint8Array(n), settings: { ...lockSettings, lockDirectory: dir, dotlockTimeoutMs: 40_000 }, watch: false, machine: testMachine,
    logger: { info: (text) => void logged.push(text.replaceAll(box, 'BOX')), warn: (text) => void logged.push(text.replaceAll(box, 'BOX')) },
  })
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mailwright-waits-'))
  box = join(dir, 'box')
  said = []
  logged = []
  clock = new TestClock(Date.now())
  await writeFile(box, 'From bob@example.net Mon Jan  5 09:08:07 2015\nSubject: a\n\nx\n\n')
})
afterEach(async () => {
  holder?.kill()
  holder = undefined
  await rm(dir, { recursive: true, force: true })
})
async function hold(kind: 'flock' | 'fcntl', path: string, content?: string): Promise<void> {
  holder = spawn(process.execPath, [HOLDER, kind, path, ...(content === undefined ? [] : [encodeURIComponent(content)])], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = await once(holder.stdout!, 'data')
  expect(String(line)).toBe('locked\n')
}

test('a directory in the place of the dot-lock is no lock and never goes away: it is told at once, and left alone', async () => {
  await mkdir(`${box}.lock`)
  const began = clock.ms
  expect(await takeDotLock(locks(), box, never, say)).toEqual({ state: 'refused' })
  expect([clock.ms, said]).toEqual([began, ['warning: Mailbox vulnerable - directory on lock name: BOX.lock']])
  expect((await readdir(dir)).toSorted()).toEqual(['box', 'box.lock'])
})

const DOT = /^waiting: Mailbox BOX is locked, will override in \d+ seconds\.\.\.$/
test('a dot-lock that stays is told of after a second, and then every 15 s; the operator hears once', async () => {
  await writeFile(`${box}.lock`, '')
  const at: number[] = []
  const began = clock.ms
  const lock = await takeDotLock(locks(), box, never, (severity, text) => {
    say(severity, text)
    at.push(clock.ms - began)
  })
  expect(lock.state).toBe('locked')
  expect(said.filter((text) => DOT.test(text))).toHaveLength(3)
  // Tries are up to a second apart.
  for (const [n, due] of [1000, 16_000, 31_000].entries()) {
    expect(at[n]).toBeGreaterThanOrEqual(due)
    expect(at[n]).toBeLessThan(due + 1000 * (n + 1))
  }
  expect(logged).toEqual([said[0]?.replace('waiting: ', ''), 'Mailbox BOX lock overridden'])
})
test('a dot-lock that goes away at once is not worth a word', async () => {
  await writeFile(`${box}.lock`, '')
  const began = clock.ms
  const after = clock.after.bind(clock)
  clock.after = (ms, run) => {
    if (clock.ms - began > 300) void unlink(`${box}.lock`).catch(() => undefined)
    return after(ms, run)
  }
  expect((await takeDotLock(locks(), box, never, say)).state).toBe('locked')
  expect([said, logged]).toEqual([[], []])
})

test.runIf(native)('an owner lock whose holder says nothing of itself is waited for, and that is said', async () => {
  const lock = nameLockPath(dir, { device: 1, inode: 2 })
  await writeFile(lock, '')
  await hold('flock', lock)
  const began = clock.ms
  expect((await takeNameLock(locks(), { device: 1, inode: 2 }, { ask: true }, never, say)).state).toBe('brief')
  expect(clock.ms - began).toBeGreaterThanOrEqual(40_000)
  expect(said).toHaveLength(3)
  expect(said[0]).toMatch(/^waiting: Trying to get mailbox lock from another program, which does not say which process it is, for up to 3\d seconds\.\.\.$/)
  expect(logged).toEqual([said[0]?.replace('waiting: ', '')])
})
test.runIf(native)('an owner lock of another process of this server is waited for under its number', async () => {
  const lock = nameLockPath(dir, { device: 1, inode: 2 })
  await writeFile(lock, holderText({ ...testMachine, pid: 4712 }, true))
  await hold('flock', lock)
  expect((await takeNameLock(locks(), { device: 1, inode: 2 }, { ask: true }, never, say)).state).toBe('brief')
  expect(said[0]).toMatch(/^waiting: Trying to get mailbox lock from process 4712, for up to 3\d seconds\.\.\.$/)
})
test.runIf(native).each(['flock', 'fcntl'] as const)('the %s of another program is waited for, and that is said', async (kind) => {
  await hold(kind, box)
  await expect(openLocked(locks(), box, 'exclusive', never, say)).rejects.toMatchObject({ kind: 'in-use' })
  expect(said).toHaveLength(3)
  expect(said[0]).toMatch(/^waiting: Mailbox BOX is locked by another program, waiting for it for up to 3\d seconds\.\.\.$/)
  expect(logged).toEqual([said[0]?.replace('waiting: ', '')])
})

test.runIf(native).each(['seen before', 'never seen'] as const)('a mailbox of another format in the place of one (%s) is no mailbox here: its locks, which are held as long as it is open, are not waited for', async (before) => {
  const file = new MailboxFile({ path: box, user: alice, fileMode: 0o600, directoryMode: 0o700 }, unixContext(files, dir, { clock, locks: locks() }))
  const work = async (): Promise<string> => 'done'
  if (before === 'seen before') expect(await file.locked('owner', never, say, work)).toBe('done')
  await writeFile(`${box}.mbx`, `*mbx*\r\n5f00000000000000\r\n`.padEnd(2046) + '\r\n')
  await rename(`${box}.mbx`, box)
  await hold('flock', box)
  for (const access of ['shared', 'owner'] as const) await expect(file.locked(access, never, say, work)).rejects.toMatchObject({ kind: 'corrupt' })
  expect(said).toEqual([])
  // One that is empty may become one of this format.
  await writeFile(`${box}.empty`, '')
  await rename(`${box}.empty`, box)
  expect(await file.locked('owner', never, say, work)).toBe('done')
})

test.runIf(native).each(['dot-lock', 'kernel lock', 'owner lock'])('the machine\'s time is set back by an hour while a %s is waited for: nobody waits longer, and that is said all the same', async (kind) => {
  const began = clock.ms
  const setBack = (severity: string, text: string): void => {
    say(severity, text)
    clock.setBackMs = 3_600_000
  }
  if (kind === 'dot-lock') {
    await writeFile(`${box}.lock`, '')
    expect((await takeDotLock(locks(), box, never, setBack)).state).toBe('locked')
  } else if (kind === 'kernel lock') {
    await hold('flock', box)
    await expect(openLocked(locks(), box, 'exclusive', never, setBack)).rejects.toMatchObject({ kind: 'in-use' })
  } else {
    const lock = nameLockPath(dir, { device: 1, inode: 2 })
    await writeFile(lock, '')
    await hold('flock', lock)
    expect((await takeNameLock(locks(), { device: 1, inode: 2 }, { ask: false }, never, setBack)).state).toBe('brief')
  }
  expect(clock.ms - began).toBeGreaterThanOrEqual(40_000)
  expect(clock.ms - began).toBeLessThan(50_000)
  expect(said.filter((text) => text.startsWith('waiting: '))).toHaveLength(3)
})

test('whoever waits behind an operation that waits hears what for, also when it comes later', async () => {
  await writeFile(`${box}.lock`, '')
  const ctx = unixContext(files, dir, { clock, locks: locks() })
  const place = { path: box, user: alice, fileMode: 0o600, directoryMode: 0o700 }
  const heard: string[][] = [[], [], []]
  const told = (n: number) => (severity: string, text: string): void => void heard[n]?.push(`${severity}: ${text.replaceAll(box, 'BOX')}`)
  const work = async (): Promise<string> => 'done'
  const second = new MailboxFile(place, ctx)
  let third: Promise<string | undefined> | undefined
  const first = new MailboxFile(place, ctx).locked('shared', never, (severity, text) => {
    told(0)(severity, text)
    third ??= second.locked('shared', never, told(2), work)
    if (heard[0]?.length === 2) void unlink(`${box}.lock`)
  }, work)
  const behind = second.locked('shared', never, told(1), work)
  expect(await Promise.all([first, behind])).toEqual(['done', 'done'])
  expect(await third).toBe('done')
  expect(heard[0]).toHaveLength(2)
  for (const line of heard[0] ?? []) expect(line).toMatch(DOT)
  expect(heard.slice(1)).toEqual([heard[0], heard[0]])
  // Nothing is left of it for those who come now.
  expect(await second.locked('shared', never, say, work)).toBe('done')
  expect([said, (await stat(box)).isFile()]).toEqual([[], true])
})
