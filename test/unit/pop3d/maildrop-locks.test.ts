import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MaildropHolder, MaildropLock } from '../../../core/api/index.js'
import { systemClock } from '../../../core/os/clock.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { MachineMaildropLocks } from '../../../core/pop3d/maildrop-locks.js'
import { LoggedLines } from '../../support/auth.js'
import { never } from '../../support/mail.js'

const files = new SystemFiles(await nativeLocks())
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-maildrops-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** As a process has it: the lock is on an open file, and two of these are as two processes. */
const asProcess = (): MachineMaildropLocks => new MachineMaildropLocks(files, systemClock, new LoggedLines())
interface Session extends MaildropHolder {
  lock: MaildropLock | undefined
  gone: boolean
}
/** A session that has been idle for so long; asked to give way it lets go. */
async function session(locks: MachineMaildropLocks, idle: number, key = 'box'): Promise<Session> {
  const made: Session = {
    lock: undefined,
    gone: false,
    idleMs: () => idle,
    giveWay() {
      made.gone = true
      void made.lock?.release()
    },
  }
  made.lock = await locks.acquire({ key, folder, holder: made, giveWayMs: 300_000 }, never)
  return made
}

describe('one session per maildrop among processes', () => {
  test('somebody who works keeps it, and whoever wants it is told so at once', async () => {
    const first = await session(asProcess(), 0)
    const before = Date.now()
    const second = await session(asProcess(), 0)
    expect([first.gone, second.lock]).toEqual([false, undefined])
    // By an answer, not by waiting for one.
    expect(Date.now() - before).toBeLessThan(2000)
    await first.lock?.release()
    const third = await session(asProcess(), 0)
    expect(third.lock).toBeDefined()
    await third.lock?.release()
  })
  test('somebody who has been idle for long gives way', async () => {
    const first = await session(asProcess(), 300_001)
    const second = await session(asProcess(), 0)
    expect([first.gone, second.lock === undefined]).toEqual([true, false])
    await second.lock?.release()
    // Nothing is left of the question.
    expect((await readdir(join(folder, 'maildrops'))).filter((name) => name.endsWith('.ask'))).toEqual([])
  })
  test('somebody who is about to leave does not say no, though taking leave is work', async () => {
    for (let round = 0; round < 5; round++) {
      const first = await session(asProcess(), 300_001)
      const asked = first.idleMs
      first.idleMs = () => (first.gone ? 0 : asked())
      first.giveWay = () => {
        first.gone = true
        void pause(100).then(() => first.lock?.release())
      }
      const second = await session(asProcess(), 0)
      expect([first.gone, second.lock === undefined]).toEqual([true, false])
      await second.lock?.release()
    }
  })
  test('what is asked of one maildrop does not concern another', async () => {
    const other = await session(asProcess(), 300_001, 'other')
    const first = await session(asProcess(), 300_001)
    const second = await session(asProcess(), 0)
    expect([other.gone, first.gone]).toEqual([false, true])
    for (const { lock } of [other, second]) await lock?.release()
  })
  test('a process that is killed has nothing any more; a question that nobody took back asks nobody', async () => {
    const first = await session(asProcess(), 0)
    const [name = ''] = await readdir(join(folder, 'maildrops'))
    const stale = await files.open(join(folder, 'maildrops', name.replace('.lock', '.ask')), { write: true, create: 'new' })
    await stale.close()
    await first.lock?.release()
    const next = await session(asProcess(), 300_001)
    expect(next.gone).toBe(false)
    await next.lock?.release()
  })
})

test('the time of the last login is known to other processes and to later ones, and is none before the first', async () => {
  const first = await session(asProcess(), 0)
  expect(first.lock?.lastMs).toBeUndefined()
  await first.lock?.note(1_800_000_000_123)
  await first.lock?.release()
  const second = await session(asProcess(), 0)
  expect(second.lock?.lastMs).toBe(1_800_000_000_123)
  await second.lock?.release()
  const [name = ''] = await readdir(join(folder, 'maildrops'))
  expect((await stat(join(folder, 'maildrops', name))).size).toBe(0)
})
