import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm, readFile, stat, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nameLockPath } from '../../plugins/formats/shared/locks/name-lock.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

const HOLDER = fileURLToPath(new URL('../support/lock-holder.mjs', import.meta.url))

/** As programs of the c-client family lock a mailbox while they have it open for writing. */
describe.skipIf(process.platform !== 'linux')('POP3 and a program that has the maildrop open', () => {
  let server: RunningServer
  let holder: ChildProcess | undefined
  let lock = ''
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server?.remove())
  beforeEach(async () => {
    await writeFile(server.inbox('alice'), SAMPLE_MAILBOX, { mode: 0o600 })
    const { dev, ino } = await stat(server.inbox('alice'))
    lock = nameLockPath('/tmp', { device: dev, inode: ino })
  })
  const letGo = async (): Promise<void> => {
    if (holder === undefined || holder.exitCode !== null) return
    holder.stdin?.end()
    await once(holder, 'exit')
  }
  afterEach(async () => {
    await letGo()
    await rm(lock, { force: true })
  })
  /** The owner lock, with the number by which its holder can be asked. */
  async function hold(yields: boolean): Promise<void> {
    await writeFile(lock, '', { mode: 0o666 })
    holder = spawn(process.execPath, [HOLDER, 'flock', lock, 'pid'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, YIELDS: yields ? '1' : '0' } })
    const [said] = (await once(holder.stdout!, 'data')) as [Buffer]
    expect(said.toString()).toBe('locked\n')
  }
  const left = async (): Promise<number> => messagesIn(await readFile(server.inbox('alice'), 'latin1')).length

  test('one that does not give it up keeps a session out', async () => {
    await hold(false)
    const client = await RawPop3.open(server.ports.pop3)
    expect(await client.enter('alice')).toBe(`-ERR [IN-USE] Can't get lock.  Mailbox in use: Trying to get mailbox lock from process ${holder?.pid}`)
    expect(await client.line()).toBeUndefined()
    await letGo()
    const again = await RawPop3.login(server.ports.pop3, 'alice')
    expect(await again.quit()).toBe('+OK Sayonara')
  })
  test('one that is asked and gives it up does not', async () => {
    await hold(true)
    const client = await RawPop3.login(server.ports.pop3, 'alice')
    await client.do('DELE 1')
    expect(await client.quit()).toBe('+OK Sayonara')
    expect(await left()).toBe(2)
  })
  test('one that comes while a session is open makes QUIT fail, and nothing is deleted', async () => {
    const client = await RawPop3.login(server.ports.pop3, 'alice')
    await client.do('DELE 1')
    await hold(false)
    expect(await client.quit()).toBe('-ERR [IN-USE] some deleted messages not removed')
    expect(await left()).toBe(3)
    await letGo()
    const again = await RawPop3.login(server.ports.pop3, 'alice')
    await again.do('DELE 1')
    expect(await again.quit()).toBe('+OK Sayonara')
    expect(await left()).toBe(2)
  })
})
