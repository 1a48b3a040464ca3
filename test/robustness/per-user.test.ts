import { chmod, chown, stat, symlink, writeFile } from 'node:fs/promises'
import { connect as connectTls } from 'node:tls'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_CAPABILITIES, rightsOfChildren, type Rights } from '../support/processes.js'
import { hasPython, run } from '../support/programs.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const UIDS = { alice: 64_001, bob: 64_002 } as const
const NOBODY = 65_534
const MESSAGE = 'From: carol@example.org\r\nSubject: hello\r\n\r\nA line.\r\n'
const CLI = fileURLToPath(new URL('../../dist/core/main/cli.js', import.meta.url))
const API = fileURLToPath(new URL('../../dist/core/api/index.js', import.meta.url))

/** Accounts with ids of their own, as the machine's would be. */
const people = (folder: string): string => `
import { definePlugin, noSettings, userDirectories } from ${JSON.stringify(API)}
const ids = ${JSON.stringify(UIDS)}
export default definePlugin({
  id: 'people', api: '1.0', summary: 'accounts with ids',
  setup(p) {
    p.to(userDirectories).contribute({
      name: 'people', settings: noSettings,
      create: () => ({ find: async (user) => ids[user] === undefined ? undefined : {
        name: user, kind: 'account', home: ${JSON.stringify(folder)} + '/mail/' + user, facts: {},
        ids: { uid: ids[user], gid: ids[user], groups: [] } } }),
    })
  },
})
`

describe.skipIf(process.getuid?.() !== 0)('one process per user (needs root)', () => {
  let server: RunningServer
  const processOf = async (uid: number): Promise<readonly Rights[]> => (await rightsOfChildren(server.process.pid ?? 0)).filter((rights) => rights.uids[0] === uid)
  const login = (user: string): Promise<RawClient> => RawClient.login(server.ports.imap, user)

  beforeAll(async () => {
    server = await startServer({
      top: 'processes: { model: per-user, idle: 30s }\nplugins: [ ./people.mjs ]',
      users: '[ people ]',
      auth: 'mechanisms: [ apop, plain, login ]\nschemes: [ { use: plain, allow: true } ]\npasswords: [ { use: file, path: users.txt, keep: [ clear ] } ]\npolicies: [ { use: guard, rules: [ { name: test-block, by: user, failures: 2, within: 1h, effect: refuse, for: 1h } ] } ]',
      prepare: async (folder) => {
        await chmod(folder, 0o711)
        await writeFile(join(folder, 'people.mjs'), people(folder))
        for (const [user, uid] of Object.entries(UIDS)) await chown(join(folder, 'mail', user), uid, uid)
        for (const user of Object.keys(UIDS)) await chmod(join(folder, 'mail', user), 0o700)
      },
    })
  })
  afterAll(() => server?.remove())

  test('mail is touched with the rights of its user alone, also by the process that has been root', async () => {
    const alice = await login('alice')
    expect((await alice.append('INBOX', MESSAGE)).status).toBe('OK')
    const second = await login('alice')
    expect((await second.do('SELECT INBOX')).untagged).toContain('* 1 EXISTS')
    const mine = await processOf(UIDS.alice)
    expect(mine).toEqual([{ pid: expect.any(Number), uids: [64_001, 64_001, 64_001, 64_001], gids: [64_001, 64_001, 64_001, 64_001], groups: [], capabilities: NO_CAPABILITIES, mayGain: false }])
    const file = await stat(server.inbox('alice'))
    expect([file.uid, file.gid]).toEqual([64_001, 64_001])
    for (const client of [alice, second]) client.drop()
  })

  test('who talks to strangers has no rights', async () => {
    const children = await rightsOfChildren(server.process.pid ?? 0)
    const fronts = children.filter(({ uids }) => uids[0] !== 0 && !Object.values(UIDS).some((uid) => uid === uids[0]))
    expect(fronts).toHaveLength(1)
    expect(fronts[0]).toMatchObject({ groups: [], capabilities: NO_CAPABILITIES })
  })

  test.each([
    ['/{mail}/bob/INBOX'], ['../bob/INBOX'], ['~bob/INBOX'], ['#driver.unix/{mail}/bob/INBOX'], ['/etc/passwd'], ['link'],
  ])('nobody reads the mail of somebody else as %s', async (template) => {
    const bob = await login('bob')
    await bob.append('INBOX', MESSAGE)
    bob.drop()
    await symlink(server.inbox('bob'), join(server.home('alice'), 'link')).catch(() => undefined)
    const alice = await login('alice')
    const name = template.replace('/{mail}', join(server.folder, 'mail'))
    expect((await alice.do(`SELECT "${name}"`)).status).not.toBe('OK')
    expect((await alice.do(`COPY 1 "${name}"`)).status).not.toBe('OK')
    expect((await alice.append(`"${name}"`, MESSAGE)).status).not.toBe('OK')
    alice.drop()
  })

  test('a wrong password and an unknown user are told the same, and no process is started for them', async () => {
    const before = (await rightsOfChildren(server.process.pid ?? 0)).length
    const client = await RawClient.open(server.ports.imap)
    const answers = [await client.do('LOGIN alice wrong'), await client.do('LOGIN nobody-here wrong')]
    expect(answers.map(({ status, text }) => `${status} ${text}`)).toEqual(Array.from({ length: 2 }, () => 'NO [AUTHENTICATIONFAILED] LOGIN failed'))
    expect((await rightsOfChildren(server.process.pid ?? 0)).length).toBe(before)
    client.drop()
  })

  test('the operator hears from the authenticator whom it keeps out, and lets them in again', async () => {
    const client = await RawClient.open(server.ports.imap)
    for (let n = 0; n < 2; n++) await client.do('LOGIN bob wrong')
    expect((await client.do('LOGIN bob secret')).status).toBe('NO')
    const mailwright = (...args: string[]): ReturnType<typeof run> => run(process.execPath, [CLI, ...args, '--config', join(server.folder, 'mailwright.config.yaml')])
    expect((await mailwright('blocks', 'list')).stdout).toMatch(/test-block +user bob/)
    expect((await mailwright('blocks', 'clear', 'bob')).stdout).toContain('1 let in again')
    client.drop()
    const back = await login('bob')
    back.drop()
  })

  test('a session under TLS is carried to the process of its user', async () => {
    const socket = connectTls({ port: server.ports.imaps, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    let heard = ''
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
    const until = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(heard)) await once(socket, 'data')
    }
    // All in one piece: what was read before the login belongs to the process after it.
    const big = 'x'.repeat(300_000)
    socket.write(`a LOGIN bob secret\r\nb SELECT INBOX\r\nc APPEND INBOX {${big.length + 4}+}\r\n\r\n${big}\r\n\r\nd UID FETCH * BODY.PEEK[]\r\n`)
    await until(/d OK /)
    expect(heard).toContain(big)
    socket.destroy()
  })

  test.skipIf(!hasPython('poplib'))('POP3 in clear, with STLS, under TLS and by APOP: one session at a time, and QUIT removes', async () => {
    const alice = await login('alice')
    for (let n = 0; n < 4; n++) await alice.append('INBOX', MESSAGE)
    const script = `
import poplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[3])
def link(kind):
    p = poplib.POP3_SSL('localhost', int(sys.argv[2]), context=context) if kind == 'tls' else poplib.POP3('localhost', int(sys.argv[1]))
    if kind == 'stls': p.stls(context=context)
    return p
def login(p, kind):
    if kind == 'apop': return p.apop('alice', 'secret')
    p.user('alice'); return p.pass_('secret')
before = None
for kind in ('plain', 'stls', 'tls', 'apop'):
    p = link(kind)
    assert login(p, kind).startswith(b'+OK'), kind
    count = p.stat()[0]
    assert before is None or count == before - 1, (kind, before, count)
    before = count
    second = link('tls')
    try:
        login(second, 'tls')
        assert False, 'two sessions'
    except poplib.error_proto as e:
        assert b'[IN-USE]' in e.args[0], e
    assert any(b'Subject: hello' in line for line in p.retr(1)[1])
    p.dele(1)
    assert p.quit().startswith(b'+OK')
print('done')
`
    const got = await run('python3', ['-c', script, String(server.ports.pop3), String(server.ports.pop3s), server.certificate])
    expect(got.stdout + got.stderr).toBe('done\n')
    const { uid } = await stat(server.inbox('alice'))
    expect(uid).toBe(UIDS.alice)
    alice.drop()
  })

  test('the end of one process leaves the sessions of others, and its user comes back', async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    const [victim] = await processOf(UIDS.alice)
    process.kill(victim?.pid ?? -1, 'SIGKILL')
    await expect(alice.do('NOOP')).rejects.toBeInstanceOf(LinkLost)
    expect((await bob.do('NOOP')).status).toBe('OK')
    const again = await login('alice')
    expect((await again.do('SELECT INBOX')).status).toBe('OK')
    expect((await processOf(UIDS.alice))[0]?.pid).not.toBe(victim?.pid)
    for (const client of [bob, again]) client.drop()
  })
  test('a process that ends before it has opened the mail of a session is replaced, and the login goes on', async () => {
    const first = await login('alice')
    const [victim] = await processOf(UIDS.alice)
    // It is alive for whoever hands sessions over, and answers nothing.
    process.kill(victim?.pid ?? -1, 'SIGSTOP')
    const client = await RawClient.open(server.ports.imap)
    const answer = client.do('LOGIN alice secret')
    await expect(Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 1500, 'waits'))])).resolves.toBe('waits')
    process.kill(victim?.pid ?? -1, 'SIGKILL')
    expect((await answer).status).toBe('OK')
    expect((await client.do('SELECT INBOX')).status).toBe('OK')
    expect((await processOf(UIDS.alice))[0]?.pid).not.toBe(victim?.pid)
    for (const one of [first, client]) one.drop()
  })

  test('front and authenticator are started again, and sessions in clear go on without them', async () => {
    const bob = await login('bob')
    // Answered by the process that has the session now: the OK of the login is the front's, just before it gives the socket away.
    expect((await bob.do('NOOP')).status).toBe('OK')
    const children = await rightsOfChildren(server.process.pid ?? 0)
    const front = children.find(({ uids }) => uids[0] !== 0 && uids[0] !== UIDS.alice && uids[0] !== UIDS.bob)
    // The spare process is root too until it has a user; the authenticator was started before it.
    for (const pid of [front?.pid, Math.min(...children.filter(({ uids }) => uids[0] === 0).map(({ pid: p }) => p))]) process.kill(pid ?? -1, 'SIGKILL')
    expect((await bob.do('NOOP')).status).toBe('OK')
    let back: RawClient | undefined
    for (let tries = 0; back === undefined && tries < 200; tries++) {
      back = await login('alice').catch(() => undefined)
      if (back === undefined) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect((await back?.do('NOOP'))?.status).toBe('OK')
    for (const client of [bob, back]) client?.drop()
  })

  test('a reload starts new processes, and sessions end in theirs', async () => {
    const from = server.log().length
    const before = await login('alice')
    const [old] = await processOf(UIDS.alice)
    server.process.kill('SIGHUP')
    while (!/ reloaded /.test(server.log())) await once(server.process.stderr!, 'data')
    const after = await login('alice')
    expect((await before.do('SELECT INBOX')).status).toBe('OK')
    expect((await after.do('SELECT INBOX')).status).toBe('OK')
    expect((await processOf(UIDS.alice)).map(({ pid }) => pid === old?.pid).toSorted()).toEqual([false, true])
    // The old front, which nobody needs, has gone for good while the old session goes on: longer than one that fails would stay away.
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect((await processOf(NOBODY)).map(({ pid }) => pid)).toHaveLength(1)
    expect(server.log().slice(from)).not.toMatch(/ error /)
    expect((await before.do('NOOP')).status).toBe('OK')
    for (const client of [before, after]) client.drop()
  })
})
