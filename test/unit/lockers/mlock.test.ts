import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { MlockLocker } from '../../../plugins/lockers/mlock/mlock.js'
import { writeLockProgram, type LockProgramKind } from '../../support/lock-program.js'

const HOLDER = fileURLToPath(new URL('../../support/lent-lock.mjs', import.meta.url))
const never = new AbortController().signal

describe('the lock program of the UW toolkit', () => {
  let dir = ''
  let box = ''
  let logged: string[] = []
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-mlock-'))
    box = join(dir, 'box')
    logged = []
    await writeFile(box, 'x')
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const program = (kind?: LockProgramKind): Promise<string> => writeLockProgram(join(dir, 'program'), kind)
  const locker = (programs: readonly string[], timeoutMs = 20_000): MlockLocker => new MlockLocker({ programs, timeoutMs, clock: systemClock, logger: { warn: (text) => void logged.push(text) } })
  const isLocked = (): Promise<boolean> => lstat(`${box}.lock`).then(() => true, () => false)
  const did = async (): Promise<string> => readFile(join(dir, 'program.log'), 'utf8').catch(() => '')

  test('makes the lock file, which stands until it is released and not a moment longer', async () => {
    const lock = await locker([join(dir, 'nothing'), await program()]).lock(box, never)
    expect(await isLocked()).toBe(true)
    await lock?.release()
    expect(await isLocked()).toBe(false)
    expect(await did()).toBe('locks\nunlocks\n')
    expect(logged).toEqual([])
  })
  test('is asked again for every lock', async () => {
    const from = locker([await program()])
    for (let n = 0; n < 3; n++) await (await from.lock(box, never))?.release()
    expect(await did()).toBe('locks\nunlocks\n'.repeat(3))
  })
  test('says that another program has the lock: the mailbox is in use', async () => {
    await writeFile(`${box}.lock`, '')
    await expect(locker([await program()]).lock(box, never)).rejects.toMatchObject({ kind: 'in-use' })
    expect(await isLocked()).toBe(true)
  })
  const failures: readonly { readonly kind: LockProgramKind; readonly why: string }[] = [
    { kind: 'refuses', why: 'it answers "-"' },
    { kind: 'misused', why: 'it answers "?"' },
    { kind: 'dead', why: 'no answer' },
    { kind: 'silent', why: 'no answer' },
  ]
  test.each(failures)('that $kind is told to the operator, and there is no lock', async ({ kind, why }) => {
    expect(await locker([await program(kind)], 1000).lock(box, never)).toBeUndefined()
    expect(logged).toEqual([`Mailbox lock program ${join(dir, 'program')} does not lock ${box}: ${why}`])
  })
  test('that is missing is named in the log', async () => {
    expect(await locker(['/nowhere/mlock', '/neither/mlock']).lock(box, never)).toBeUndefined()
    expect(logged).toEqual(['Mailbox lock program missing: /nowhere/mlock, /neither/mlock'])
  })
  test('is let go when the command that waits for it is given up', async () => {
    const stop = new AbortController()
    const waiting = locker([await program('silent')]).lock(box, stop.signal)
    setTimeout(() => stop.abort(new Error('enough')), 200)
    await expect(waiting).rejects.toThrow('enough')
  })
  test('removes the lock of a server that is killed', async () => {
    const child = spawn(process.execPath, [HOLDER, await program(), box], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    expect(await isLocked()).toBe(true)
    child.kill('SIGKILL')
    await vi.waitFor(async () => expect(await isLocked()).toBe(false), { timeout: 10_000 })
    expect(await did()).toBe('locks\nunlocks\n')
  })
})
