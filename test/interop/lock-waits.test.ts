import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nameLockPath } from '../../plugins/formats/shared/name-lock.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

const HOLDER = fileURLToPath(new URL('../support/lock-holder.mjs', import.meta.url))

/** Other programs have locked the mailbox, as their kind does: a person sees why nothing comes. */
describe.skipIf(process.platform !== 'linux')('SELECT of a mailbox that another program has locked', () => {
  let server: RunningServer
  let lock = ''
  let holder: ChildProcess | undefined
  const clients: RawClient[] = []
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server?.remove())
  beforeEach(async () => {
    await writeFile(server.inbox('alice'), SAMPLE_MAILBOX, { mode: 0o600 })
    const { dev, ino } = await stat(server.inbox('alice'))
    lock = nameLockPath('/tmp', { device: dev, inode: ino })
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.drop()
    holder?.kill()
    for (const path of [lock, `${server.inbox('alice')}.lock`, server.inbox('alice')]) await rm(path, { force: true, recursive: true })
  })
  const login = async (): Promise<RawClient> => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    clients.push(client)
    return client
  }

  test('by a dot-lock: each session that waits is told at once, and served when the lock is gone', async () => {
    await writeFile(`${server.inbox('alice')}.lock`, '')
    const [a, b] = [await login(), await login()]
    a.send('a SELECT INBOX\r\n')
    expect(await a.line()).toMatch(/^\* NO Mailbox \S+INBOX is locked, will override in \d+ seconds\.\.\.$/)
    b.send('b SELECT INBOX\r\n')
    expect(await b.line()).toMatch(/^\* NO Mailbox \S+INBOX is locked, will override in \d+ seconds\.\.\.$/)
    await unlink(`${server.inbox('alice')}.lock`)
    for (const [client, tag] of [[a, 'a'], [b, 'b']] as const) {
      let line = await client.line()
      while (line.startsWith('* ')) line = await client.line()
      expect(line).toBe(`${tag} OK [READ-WRITE] SELECT completed`)
    }
    expect(server.log()).toMatch(/Mailbox \S+INBOX is locked, will override in \d+ seconds/)
  })

  test('by an owner lock of which nobody says whose it is (FAQ 7.11)', async () => {
    await writeFile(lock, '', { mode: 0o666 })
    holder = spawn(process.execPath, [HOLDER, 'flock', lock], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(holder.stdout!, 'data')
    const client = await login()
    client.send('a SELECT INBOX\r\n')
    expect(await client.line()).toMatch(/^\* NO Trying to get mailbox lock from another program, which does not say which process it is, for up to \d+ seconds\.\.\.$/)
    holder.stdin?.end()
    let line = await client.line()
    while (line.startsWith('* ')) line = await client.line()
    expect(line).toBe('a OK [READ-WRITE] SELECT completed')
    expect(server.log()).toContain('Trying to get mailbox lock from another program')
  })

  test('by an owner lock whose process is asked to give it up (FAQ 7.19)', async () => {
    await writeFile(lock, '', { mode: 0o666 })
    holder = spawn(process.execPath, [HOLDER, 'flock', lock, 'pid'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, YIELDS: '0' } })
    await once(holder.stdout!, 'data')
    const client = await login()
    client.send('a SELECT INBOX\r\n')
    expect(await client.line()).toBe(`* NO Trying to get mailbox lock from process ${holder.pid}`)
    holder.stdin?.end()
    let line = await client.line()
    while (line.startsWith('* ')) line = await client.line()
    expect(line).toBe('a OK [READ-WRITE] SELECT completed')
  })

  test('by a directory in the place of the dot-lock, which never goes away: nobody waits', async () => {
    await mkdir(`${server.inbox('alice')}.lock`)
    const client = await login()
    const { status, untagged } = await client.do('SELECT INBOX')
    expect([status, untagged.filter((line) => line.startsWith('* NO'))]).toEqual(['OK', [`* NO Mailbox vulnerable - directory on lock name: ${server.inbox('alice')}.lock`]])
  })
})
