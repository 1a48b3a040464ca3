import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nameLockPath } from '../../plugins/formats/shared/locks/name-lock.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

const HOLDER = fileURLToPath(new URL('../support/lock-holder.mjs', import.meta.url))

/** Other programs have locked the mailbox, as their kind does: a person sees why nothing comes. */
describe.skipIf(process.platform !== 'linux')('SELECT of a mailbox that another program has locked', () => {
  let server: RunningServer
  const delivered = (): string => join(server.home('alice'), 'delivered')
  let lock = ''
  let holder: ChildProcess | undefined
  const clients: RawClient[] = []
  beforeAll(async () => {
    server = await startServer({ host: 'drivers: { use: [mix, mx, unix, dummy] }', namespaces: "[ { use: mailboxfile, inboxPath: '{home}/delivered' }, { use: prefixes } ]" })
  })
  afterAll(() => server?.remove())
  beforeEach(async () => {
    await rm(join(server.home('alice'), 'box'), { force: true, recursive: true })
    await writeFile(delivered(), SAMPLE_MAILBOX, { mode: 0o600 })
    const { dev, ino } = await stat(delivered())
    lock = nameLockPath('/tmp', { device: dev, inode: ino })
  })
  afterEach(async () => {
    // With the mailbox closed: a session that was dropped may still be writing uids, under the locks that the next test is about.
    for (const client of clients.splice(0)) await client.logout()
    holder?.kill()
    for (const path of [lock, `${delivered()}.lock`, delivered(), join(server.home('alice'), 'INBOX')]) await rm(path, { force: true, recursive: true })
  })
  const login = async (): Promise<RawClient> => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    clients.push(client)
    return client
  }

  test('by a dot-lock: each session that waits is told at once, and served when the lock is gone', async () => {
    await writeFile(`${delivered()}.lock`, '')
    const [a, b] = [await login(), await login()]
    a.send('a SELECT INBOX\r\n')
    expect(await a.line()).toMatch(/^\* NO Mailbox \S+delivered is locked, will override in \d+ seconds\.\.\.$/)
    b.send('b SELECT INBOX\r\n')
    expect(await b.line()).toMatch(/^\* NO Mailbox \S+delivered is locked, will override in \d+ seconds\.\.\.$/)
    await unlink(`${delivered()}.lock`)
    for (const [client, tag] of [[a, 'a'], [b, 'b']] as const) {
      let line = await client.line()
      while (line.startsWith('* ')) line = await client.line()
      expect(line).toBe(`${tag} OK [READ-WRITE] SELECT completed`)
    }
    expect(server.log()).toMatch(/Mailbox \S+delivered is locked, will override in \d+ seconds/)
  })

  test('by a dot-lock: APPEND, STATUS and a change in a session say it too', async () => {
    const selected = await login()
    expect((await selected.do('SELECT INBOX')).status).toBe('OK')
    await writeFile(`${delivered()}.lock`, '')
    await appendFile(delivered(), 'From bob@example.org Mon Nov 23 01:44:50 2026\nSubject: new\n\nHello.\n\n')
    const [adding, asking] = [await login(), await login()]
    const message = 'Subject: added\r\n\r\nHello.\r\n'
    adding.send(`a APPEND INBOX {${message.length}+}\r\n${message}\r\n`)
    asking.send('b STATUS INBOX (MESSAGES)\r\n')
    selected.send('c EXPUNGE\r\n')
    for (const client of [adding, asking, selected]) expect(await client.line()).toMatch(/^\* NO Mailbox \S+delivered is locked, will override in \d+ seconds\.\.\.$/)
    await unlink(`${delivered()}.lock`)
    for (const [client, tag] of [[adding, 'a'], [asking, 'b'], [selected, 'c']] as const) {
      let line = await client.line()
      while (line.startsWith('* ')) line = await client.line()
      expect(line).toMatch(new RegExp(`^${tag} OK `))
    }
  })

  test('by a dot-lock where mail is delivered, for an INBOX that is kept elsewhere', async () => {
    const first = await RawClient.login(server.ports.imap, 'alice')
    expect((await first.do('CREATE #driver.mix/INBOX')).status).toBe('OK')
    await first.logout()
    await writeFile(`${delivered()}.lock`, '')
    const [a, b] = [await login(), await login()]
    for (const [client, tag] of [[a, 'a'], [b, 'b']] as const) {
      client.send(`${tag} SELECT INBOX\r\n`)
      expect(await client.line()).toMatch(/^\* NO Mailbox \S+delivered is locked, will override in \d+ seconds\.\.\.$/)
    }
    await unlink(`${delivered()}.lock`)
    for (const [client, tag] of [[a, 'a'], [b, 'b']] as const) {
      const untagged: string[] = []
      let line = await client.line()
      for (; line.startsWith('* '); line = await client.line()) untagged.push(line)
      expect([line, untagged]).toEqual([`${tag} OK [READ-WRITE] SELECT completed`, expect.arrayContaining(['* 3 EXISTS'])])
    }
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

  test('by an owner lock: DELETE and RENAME say it too', async () => {
    const client = await login()
    for (const [n, command] of ['DELETE box', 'RENAME box other'].entries()) {
      expect((await client.do('CREATE #driver.unix/box')).status).toBe('OK')
      const box = join(server.home('alice'), 'box')
      const { dev, ino } = await stat(box)
      lock = nameLockPath('/tmp', { device: dev, inode: ino })
      await writeFile(lock, '', { mode: 0o666 })
      holder = spawn(process.execPath, [HOLDER, 'flock', lock], { stdio: ['pipe', 'pipe', 'inherit'] })
      await once(holder.stdout!, 'data')
      client.send(`${n} ${command}\r\n`)
      expect(await client.line()).toMatch(/^\* NO Trying to get mailbox lock from another program, which does not say which process it is, for up to \d+ seconds\.\.\.$/)
      holder.stdin?.end()
      let line = await client.line()
      while (line.startsWith('* ')) line = await client.line()
      expect(line).toMatch(new RegExp(`^${n} OK `))
    }
    await client.do('DELETE other')
  })

  test.each([
    { format: 'mix', file: '.mixindex' },
    { format: 'mx', file: '.mxindex' },
  ])('by a lock of the kernel, as programs of the family have it in $format: SELECT, DELETE, and who waits behind one that waits', async ({ format, file }) => {
    const [a, b, c] = [await login(), await login(), await login()]
    expect((await a.do(`CREATE #driver.${format}/box`)).status).toBe('OK')
    holder = spawn(process.execPath, [HOLDER, 'flock', join(server.home('alice'), 'box', file)], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(holder.stdout!, 'data')
    const commands = [[a, 'a SELECT box'], [b, 'b SELECT box'], [c, 'c DELETE box']] as const
    for (const [client, command] of commands) {
      client.send(`${command}\r\n`)
      expect(await client.line()).toMatch(/^\* NO Mailbox \S+box is locked by another program, waiting for it for up to \d+ seconds\.\.\.$/)
    }
    holder.stdin?.end()
    const ends = await Promise.all(
      commands.map(async ([client]) => {
        let line = await client.line()
        while (line.startsWith('* ')) line = await client.line()
        return line.split(' ', 2).join(' ')
      }),
    )
    expect(ends[2]).toBe('c OK')
    expect(server.log()).toMatch(new RegExp(`Mailbox \\S+box is locked by another program, waiting`))
  })

  test('by a directory in the place of the dot-lock, which never goes away: nobody waits', async () => {
    await mkdir(`${delivered()}.lock`)
    const client = await login()
    const { status, untagged } = await client.do('SELECT INBOX')
    expect([status, untagged.filter((line) => line.startsWith('* NO'))]).toEqual(['OK', [`* NO Mailbox vulnerable - directory on lock name: ${delivered()}.lock`]])
  })
})
