import { execFileSync } from 'node:child_process'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import { chown, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { holdersOf, NO_CAPABILITIES, rightsOfChildren, type Rights } from '../support/processes.js'
import { hasPython, run } from '../support/programs.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'

const MESSAGE = 'From: carol@example.org\r\nSubject: hello\r\n\r\nA line.\r\n'
/** As root the workers have the account that the mail belongs to, which every system has. */
const root = process.getuid?.() === 0
const OWNER = 'mail'
const number = (kind: '-u' | '-g'): number => Number(execFileSync('id', root ? [kind, OWNER] : [kind]))

/** Whose homes lead to which worker is the server's affair: with eight users both have some. */
const USERS = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi'] as const

describe('processes.model: workers', () => {
  let server: RunningServer
  const login = (user: string): Promise<RawClient> => RawClient.login(server.ports.imap, user)
  const children = (): Promise<readonly Rights[]> => rightsOfChildren(server.process.pid ?? 0)
  /** The process at the other end of this connection, once it has it for itself. */
  async function servedBy(client: RawClient): Promise<number> {
    // Answered by whom it was handed to; those before it may not have let go yet.
    await client.do('NOOP')
    for (;;) {
      const [one, ...more] = await holdersOf({ server: server.ports.imap, client: client.localPort })
      if (one !== undefined && more.length === 0) return one
    }
  }

  beforeAll(async () => {
    server = await startServer({
      top: `processes: { model: workers, workers: 2${root ? `, mailUser: ${OWNER}` : ''} }`,
      files: { 'users.txt': USERS.map((user) => `${user}:{PLAIN}secret\n`).join('') },
      prepare: async (folder) => {
        execFileSync('chmod', ['711', folder])
        execFileSync('mkdir', ['-p', ...USERS.map((user) => join(folder, 'mail', user))])
        if (root) for (const path of [join(folder, 'mail'), ...USERS.map((user) => join(folder, 'mail', user))]) await chown(path, number('-u'), number('-g'))
      },
    })
  })
  afterAll(() => server?.remove())

  test('all sessions of a user are in one worker, others may be in another, and none is in the process that listens', async () => {
    const pids = new Map<string, number>()
    const open: RawClient[] = []
    for (const user of USERS) {
      const pair = [await login(user), await login(user)] as const
      open.push(...pair)
      const [one, two] = await Promise.all(pair.map(servedBy))
      expect(one, user).toBe(two)
      pids.set(user, one ?? 0)
    }
    expect(new Set(pids.values()).size).toBe(2)
    expect([...pids.values()]).not.toContain(server.process.pid)
    for (const client of open) client.drop()
    // Also later, and whatever the protocol.
    const again = await login('alice')
    expect(await servedBy(again)).toBe(pids.get('alice'))
    again.drop()
  })

  test('two sessions of a user see each other at once', async () => {
    const [one, two] = [await login('bob'), await login('bob')]
    await one.do('SELECT INBOX')
    expect((await two.append('INBOX', MESSAGE)).status).toBe('OK')
    expect((await one.do('NOOP')).untagged).toContain('* 1 EXISTS')
    for (const client of [one, two]) client.drop()
  })

  test('nobody who talks to clients or has the mail keeps a right that it does not need', async () => {
    const client = await login('carol')
    expect((await client.append('INBOX', MESSAGE)).status).toBe('OK')
    const { uid } = await stat(server.inbox('carol'))
    expect(uid).toBe(number('-u'))
    const mine = (await children()).filter(({ uids }) => uids[0] === number('-u'))
    // As root: the two workers. Else nobody can have another account.
    expect(mine.length).toBe(root ? 2 : 4)
    for (const rights of mine) expect(rights.capabilities).toEqual(NO_CAPABILITIES)
    client.drop()
  })

  async function tls(user: string): Promise<{ readonly socket: TLSSocket; readonly until: (pattern: RegExp) => Promise<string> }> {
    const socket = connectTls({ port: server.ports.imaps, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    let heard = ''
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
    const until = async (pattern: RegExp): Promise<string> => {
      while (!pattern.test(heard)) await once(socket, 'data')
      return heard
    }
    socket.write(`a LOGIN ${user} secret\r\n`)
    await until(/^a OK /m)
    return { socket, until }
  }
  test('TLS, in one piece with what comes after the login', async () => {
    const { socket, until } = await tls('dave')
    const big = 'x'.repeat(300_000)
    socket.write(`c APPEND INBOX {${big.length + 4}+}\r\n\r\n${big}\r\n\r\nb SELECT INBOX\r\nd UID FETCH * BODY.PEEK[]\r\n`)
    expect(await until(/^d OK /m)).toContain(big)
    socket.destroy()
  })

  test.skipIf(!hasPython('poplib'))('POP3, and the lock that it has against another session of the user', async () => {
    const alice = await login('alice')
    await alice.append('INBOX', MESSAGE)
    const got = await run('python3', ['-c', `
import poplib, sys
p = poplib.POP3('localhost', int(sys.argv[1])); p.user('alice'); p.pass_('secret')
q = poplib.POP3('localhost', int(sys.argv[1])); q.user('alice')
try: q.pass_('secret'); print('two sessions')
except poplib.error_proto as e: print(b'[IN-USE]' in e.args[0])
p.dele(1); print(p.quit()[:3])
`, String(server.ports.pop3)])
    expect(got.stdout + got.stderr).toBe("True\nb'+OK'\n")
    expect((await readFile(server.inbox('alice'), 'latin1')).includes('Subject: hello')).toBe(false)
    alice.drop()
  })

  test('the end of a worker ends its sessions alone, and its users come back', async () => {
    const clients = await Promise.all(USERS.map(login))
    const pids = await Promise.all(clients.map(servedBy))
    const [victim] = pids
    process.kill(victim ?? -1, 'SIGKILL')
    for (const [at, client] of clients.entries()) {
      if (pids[at] === victim) await expect(client.do('NOOP'), USERS[at]).rejects.toBeInstanceOf(LinkLost)
      else expect((await client.do('NOOP')).status, USERS[at]).toBe('OK')
    }
    const again = await login('alice')
    expect((await again.do('SELECT INBOX')).status).toBe('OK')
    expect(await servedBy(again)).not.toBe(victim)
    for (const client of [...clients, again]) client.drop()
  })

  test('a reload starts new workers, and sessions end in theirs', async () => {
    const before = await login('alice')
    const old = await servedBy(before)
    server.process.kill('SIGHUP')
    while (!/ reloaded /.test(server.log())) await once(server.process.stderr!, 'data')
    const after = await login('alice')
    expect((await before.do('SELECT INBOX')).status).toBe('OK')
    expect((await after.do('SELECT INBOX')).status).toBe('OK')
    expect(await servedBy(after)).not.toBe(old)
    for (const client of [before, after]) client.drop()
  })
})

describe.each(['single', 'workers'])('an account with a uid of its own, processes.model: %s', (model) => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({
      top: `processes: { model: ${model}${model === 'workers' && root ? `, mailUser: ${OWNER}` : ''} }`,
      users: '[ { use: file, path: accounts } ]',
      files: { accounts: 'alice:x:64001:64001::/nonexistent/alice:\nbob:x:::::\n' },
    })
  })
  afterAll(() => server?.remove())

  test('is not served by a process with another one, whatever the rights that has, and the log says why', async () => {
    const client = await RawClient.open(server.ports.imap)
    const refused = await client.do('LOGIN alice secret')
    expect(`${refused.status} ${refused.text}`).toMatch(/^NO \[UNAVAILABLE\]/)
    await expect.poll(() => server.log(), { timeout: 20_000 }).toMatch(/alice.*the account has a uid of its own \(64001\)/)
    client.drop()
  })

  test('and login-test names that as the step that fails (FAQ 7.4)', async () => {
    const test = (user: string): ReturnType<typeof run> => run(process.execPath, [CLI, 'login-test', user, '--config', server.config], { input: 'secret\n' })
    expect(await test('alice')).toMatchObject({ code: 1, stdout: expect.stringMatching(/backend file: accepts.*\n[\s\S]*processes: the mail is not served: the account has a uid of its own \(64001\)[\s\S]*would not be let in/) })
    expect(await test('bob')).toMatchObject({ code: 0, stdout: expect.stringMatching(/processes: the mail is served by a process with uid \d+\n[\s\S]*would be let in/) })
  })
})
