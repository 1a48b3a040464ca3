import { once } from 'node:events'
import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect as connectTls } from 'node:tls'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LmtpClient } from '../support/lmtp-client.js'
import { hasPostfix, Postfix } from '../support/postfix.js'
import { rightsOfChildren } from '../support/processes.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer, type ServerOptions } from '../support/running-server.js'
import { subjectsIn } from '../support/sample-mailbox.js'

const ROOT = process.getuid?.() === 0
const NOBODY = 65_534
const UIDS = { alice: 64_001, bob: 64_002 } as const
const API = fileURLToPath(new URL('../../dist/core/api/index.js', import.meta.url))
/** Accounts with ids of their own, as the machine's would be. */
const people = (folder: string): string => `
import { definePlugin, noSettings, userDirectories } from ${JSON.stringify(API)}
const ids = ${JSON.stringify(UIDS)}
export default definePlugin({ id: 'people', api: '1.0', summary: 'accounts with ids', setup(p) {
  p.to(userDirectories).contribute({ name: 'people', settings: noSettings, create: () => ({ find: async (user) => ids[user] === undefined ? undefined :
    { name: user, kind: 'account', home: ${JSON.stringify(folder)} + '/mail/' + user, facts: {}, ids: { uid: ids[user], gid: ids[user], groups: [] } } }) })
} })
`
/** Nobody looks by itself whether there is mail: a session that hears of it at once was told. */
const HOST = "mailbox: { poll: 1h }\nprotocols: [ imap4, pop3, { use: lmtp, createFolder: true, maxMessage: 2MiB } ]"

interface Model {
  readonly name: string
  readonly options: ServerOptions
  /** Whose the mail is; undefined: whoever runs the tests. */
  readonly uid: Readonly<Record<'alice' | 'bob', number>> | undefined
}
async function belongTo(folder: string, uids: Readonly<Record<'alice' | 'bob', number>>): Promise<void> {
  await chmod(folder, 0o711)
  for (const user of ['alice', 'bob'] as const) {
    await chown(join(folder, 'mail', user), uids[user], uids[user])
    await chmod(join(folder, 'mail', user), 0o700)
  }
}
const models: readonly Model[] = [
  { name: 'single', options: { top: 'processes: { model: single }' }, uid: undefined },
  ...(ROOT
    ? [
        { name: 'workers', options: { top: 'processes: { model: workers, workers: 2, mailUser: nobody }', prepare: (folder: string) => belongTo(folder, { alice: NOBODY, bob: NOBODY }) }, uid: { alice: NOBODY, bob: NOBODY } },
        {
          name: 'per-user',
          options: {
            top: 'processes: { model: per-user, idle: 30s }\nplugins: [ ./people.mjs ]',
            users: '[ people ]',
            prepare: async (folder: string) => {
              await writeFile(join(folder, 'people.mjs'), people(folder))
              await belongTo(folder, UIDS)
            },
          },
          uid: UIDS,
        },
      ]
    : []),
]
const AUTH = 'names: { stripDomains: [ example.org ] }\nschemes: [ { use: plain, allow: true } ]\npasswords: [ { use: file, path: users.txt } ]'
async function lineLike(client: RawClient, pattern: RegExp): Promise<void> {
  while (!pattern.test(await client.line())) continue
}
const DELIVERED = (to: string): string => `250 2.1.5 <${to}> delivered`

describe.each(models)('LMTP in the model $name', ({ options, uid }) => {
  let server: RunningServer
  let file = ''
  beforeAll(async () => {
    server = await startServer({
      ...options,
      host: HOST,
      auth: AUTH,
      listeners: (port) => `lmtp: { protocol: lmtp, port: ${port}, tls: starttls }\n  lmtp-file: { protocol: lmtp, unix: run-lmtp/lmtp.sock, tls: none, mode: "0660"${ROOT ? ', owner: nobody, group: "65534"' : ''} }`,
      prepare: async (folder) => {
        await chmod(folder, 0o711)
        await mkdir(join(folder, 'run-lmtp'))
        await options.prepare?.(folder)
      },
    })
    file = join(server.folder, 'run-lmtp/lmtp.sock')
  })
  afterAll(() => server?.remove())
  const box = (user: 'alice' | 'bob', name = 'INBOX'): Promise<string> => readFile(join(server.home(user), name), 'latin1').catch(() => '')

  test('the socket file has its mode and owner, and the port is on loopback alone', async () => {
    const found = await stat(file)
    expect({ socket: found.isSocket(), mode: found.mode & 0o777 }).toEqual({ socket: true, mode: 0o660 })
    if (ROOT) expect([found.uid, found.gid]).toEqual([NOBODY, NOBODY])
    expect(server.log()).toContain(`at=127.0.0.1:${server.ports.extra}`)
    expect(server.log()).not.toMatch(new RegExp(`at=(?:\\[::\\]|0\\.0\\.0\\.0):${server.ports.extra}`))
    expect(server.log()).toContain(`at=unix:${file}`)
  })

  test('each recipient is answered on its own: unknown ones before the message, one whose mailbox cannot take it, and one that has it', { timeout: 60_000 }, async () => {
    using transport = await LmtpClient.greeted(file)
    await writeFile(server.inbox('bob'), 'no mailbox\n')
    if (uid !== undefined) await chown(server.inbox('bob'), uid.bob, uid.bob)
    expect(await transport.say('MAIL FROM:<carol@example.net> SIZE=100\r\nRCPT TO:<bob>\r\nRCPT TO:<carol>\r\nRCPT TO:<alice>\r\nRCPT TO:<alice+lists>\r\nDATA\r\n', 6)).toEqual([
      '250 2.1.0 sender taken', '250 2.1.5 recipient taken', '550 5.1.1 there is no account "carol"', '250 2.1.5 recipient taken', '250 2.1.5 recipient taken', '354 the message, then a line of one dot',
    ])
    const [first, ...rest] = await transport.say('Subject: to three\r\n\r\n..\r\nFrom here\r\n.\r\n', 3)
    expect(first).toMatch(/^451 4\.3\.0 .*not in valid mailbox format$/)
    expect(rest).toEqual([DELIVERED('alice'), DELIVERED('alice+lists')])
    expect(await box('bob')).toBe('no mailbox\n')
    await writeFile(server.inbox('bob'), '')
    expect(await transport.hand('again', ['bob'])).toEqual([DELIVERED('bob')])
    expect([subjectsIn(await box('alice')), subjectsIn(await box('alice', 'lists')), subjectsIn(await box('bob'))]).toEqual([['to three'], ['to three'], ['again']])
    expect(await box('alice')).toMatch(/^From .*\nReturn-Path: <carol@example.net>\nReceived: by localhost \(Mailwright\)\n\tfor alice; .*\nSubject: to three\n/)
    if (uid !== undefined) expect((await stat(join(server.home('alice'), 'lists'))).uid).toBe(uid.alice)
    expect(server.log()).toMatch(/delivered.* user=alice mailbox=lists/)
  })

  test('a session that idles on the mailbox hears of the message at once', { timeout: 60_000 }, async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    const before = (await client.do('SELECT INBOX')).untagged.map((line) => /^\* (\d+) EXISTS/.exec(line)?.[1]).find((n) => n !== undefined)
    client.send('i IDLE\r\n')
    await lineLike(client, /^\+ /)
    using transport = await LmtpClient.greeted(server.ports.extra)
    expect(await transport.hand('while idle', ['alice'])).toEqual([DELIVERED('alice')])
    await lineLike(client, new RegExp(`^\\* ${Number(before) + 1} EXISTS`))
    client.drop()
  })

  test('a message beyond the limit is refused when it is announced, and when it is not', { timeout: 60_000 }, async () => {
    using transport = await LmtpClient.open(server.ports.extra)
    expect((await transport.say('LHLO x\r\n'))[0]).toContain('SIZE 2097152')
    expect(await transport.say('MAIL FROM:<> SIZE=2097153\r\n')).toEqual(['552 5.3.4 the message has more than 2097152 octets'])
    const before = await box('alice')
    expect(await transport.hand('large', ['alice', 'bob'], 'x'.repeat(998).concat('\r\n').repeat(2200))).toEqual(Array.from({ length: 2 }, () => '552 5.3.4 the message has more than 2097152 octets'))
    expect(await box('alice')).toBe(before)
    // Large enough for a file between here and there, and the connection goes on.
    expect(await transport.hand('largest', ['alice', 'bob'], 'x'.repeat(998).concat('\r\n').repeat(2000))).toEqual([DELIVERED('alice'), DELIVERED('bob')])
    expect((await box('bob')).split(`${'x'.repeat(998)}\n`)).toHaveLength(2001)
  })

  test('STARTTLS begins a session anew; what was said in the clear behind it ends the connection', { timeout: 60_000 }, async () => {
    const socket = connect(server.ports.extra, '127.0.0.1')
    const clear = new LmtpClient(socket, socket, () => socket.destroy())
    await clear.replies(1)
    expect((await clear.say('LHLO x\r\n'))[0]).toContain('250-STARTTLS')
    expect(await clear.say('STARTTLS\r\n')).toEqual(['220 2.0.0 ready for TLS'])
    socket.removeAllListeners('data')
    const tls = connectTls({ socket, rejectUnauthorized: false })
    using transport = new LmtpClient(tls, tls, () => tls.destroy())
    await once(tls, 'secureConnect')
    expect(await transport.say('MAIL FROM:<>\r\n')).toEqual(['503 5.5.1 LHLO first'])
    expect((await transport.say('LHLO x\r\n'))[0]).not.toContain('STARTTLS')
    expect(await transport.hand('under TLS', ['alice'])).toEqual([DELIVERED('alice')])
    using hasty = await LmtpClient.greeted(server.ports.extra)
    expect(await hasty.say('STARTTLS\r\nMAIL FROM:<>\r\n')).toEqual(['421 4.7.0 something was said before TLS began'])
    await expect(hasty.replies(1)).rejects.toThrow('no further reply')
    using inClear = await LmtpClient.greeted(file)
    expect(await inClear.say('STARTTLS\r\n')).toEqual(['500 5.5.1 unknown command'])
  })

  test('what was answered is there after kill -9 of all its processes, whole; the socket file left behind is no hindrance', { timeout: 240_000 }, async () => {
    await writeFile(server.inbox('alice'), '')
    let least = 0
    for (let round = 0; round < 3; round++) {
      using transport = await LmtpClient.greeted(file)
      for (let n = 0; n < 3; n++) expect(await transport.hand(`r${round}n${n}`, ['alice'], 'text\r\n'.repeat(5000))).toEqual([DELIVERED('alice')])
      least += 3
      transport.send(`MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: r${round}n3\r\n\r\n${'text\r\n'.repeat(5000)}.\r\n`)
      await transport.replies(3)
      await new Promise((go) => setTimeout(go, round * 4))
      const children = (await rightsOfChildren(server.process.pid ?? 0)).map(({ pid }) => pid)
      const dead = server.kill()
      for (const pid of children) process.kill(pid, 'SIGKILL')
      await dead
      await server.again()
    }
    using last = await LmtpClient.greeted(file)
    expect(await last.hand('last', ['alice'])).toEqual([DELIVERED('alice')])
    const found = await box('alice')
    const subjects = subjectsIn(found)
    expect(new Set(subjects).size).toBe(subjects.length)
    expect(subjects.filter((s) => /n[012]$/.test(s))).toHaveLength(least)
    expect(found.split('text\n').length - 1).toBe(5000 * (subjects.length - 1))
  })

  test.skipIf(!hasPostfix)('Postfix hands over by the socket file and by the port, several recipients in one turn', { timeout: 240_000 }, async () => {
    for (const user of ['alice', 'bob'] as const) await writeFile(server.inbox(user), '')
    const transports = [`lmtp:unix:${file}`, `lmtp:inet:127.0.0.1:${server.ports.extra}`]
    // Postfix connects as its own account.
    await chmod(file, 0o666)
    for (const [n, transport] of transports.entries()) {
      await using postfix = await Postfix.start(transport)
      await postfix.send(`From: x@example.net\nSubject: by Postfix ${n}\n\n.\nFrom here on\n`, 'x@example.net', 'alice@example.org', 'bob@example.org', 'carol@example.org')
      await postfix.logs(/to=<carol@example\.org>.*status=bounced/)
      for (const who of ['alice', 'bob']) await postfix.logs(new RegExp(`to=<${who}@example\\.org>.*dsn=2\\.1\\.5, status=sent`))
    }
    for (const user of ['alice', 'bob'] as const) expect(subjectsIn(await box(user))).toEqual(['by Postfix 0', 'by Postfix 1'])
  })

  test('told to stop, it says so to who waits, and takes or returns what is under way', { timeout: 60_000 }, async () => {
    using idle = await LmtpClient.greeted(file)
    using busy = await LmtpClient.greeted(server.ports.extra)
    await busy.say('MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\n', 3)
    busy.send('Subject: at the end\r\n\r\nx\r\n')
    const before = subjectsIn(await box('bob')).filter((subject) => subject === 'at the end').length
    const stopped = server.stop()
    if (options.top?.includes('single') === true) expect(await idle.replies(1)).toEqual(['421 4.3.2 the server stops'])
    busy.send('.\r\n')
    const [answer = ''] = await busy.replies(1)
    await stopped
    // Answered as taken, it is there; otherwise it is still with the transport.
    expect(subjectsIn(await box('bob')).filter((subject) => subject === 'at the end')).toHaveLength(before + (answer.startsWith('250') ? 1 : 0))
    expect(answer).toMatch(/^(?:250 2\.1\.5|451 4\.3\.0) /)
    await expect(stat(file)).rejects.toThrow('ENOENT')
    await server.again()
  })
})

describe.skipIf(!ROOT)('LMTP and the process of a user', () => {
  const model = models.find(({ name }) => name === 'per-user')
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({ ...model?.options, host: HOST, auth: AUTH, listeners: (port) => `lmtp: { protocol: lmtp, port: ${port} }` })
  })
  afterAll(() => server?.remove())

  test('one that is killed over a delivery answers 451 or has it, and the next delivery gets another', { timeout: 120_000 }, async () => {
    using transport = await LmtpClient.greeted(server.ports.extra)
    const answered: string[] = []
    for (let n = 0; n < 12; n++) {
      await transport.say('MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\n', 3)
      transport.send(`Subject: n${n}\r\n\r\n${'text\r\n'.repeat(20_000)}.\r\n`)
      const mine = (await rightsOfChildren(server.process.pid ?? 0)).filter(({ uids }) => uids[0] === UIDS.alice)
      await new Promise((go) => setTimeout(go, n * 3))
      for (const { pid } of n % 2 === 1 ? mine : []) process.kill(pid, 'SIGKILL')
      const [answer = ''] = await transport.replies(1)
      expect(answer).toMatch(/^(?:250 2\.1\.5 |451 4\.3\.0 )/)
      if (answer.startsWith('250')) answered.push(`n${n}`)
    }
    expect(await transport.hand('last', ['alice'])).toEqual([DELIVERED('alice')])
    const found = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(found)).toEqual(expect.arrayContaining([...answered, 'last']))
    expect(answered.length).toBeGreaterThan(5)
    expect(found.split('text\n').length - 1).toBe(20_000 * (subjectsIn(found).length - 1))
  })

  test('only the transport that is under way waits; root gets no mail', { timeout: 60_000 }, async () => {
    using half = await LmtpClient.greeted(server.ports.extra)
    await half.say('MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\n', 3)
    half.send('Subject: half\r\n\r\nx\r\n')
    using other = await LmtpClient.greeted(server.ports.extra)
    expect(await other.hand('whole', ['alice', 'bob'])).toEqual([DELIVERED('alice'), DELIVERED('bob')])
    half[Symbol.dispose]()
    expect(await other.hand('after', ['alice'])).toEqual([DELIVERED('alice')])
    expect(subjectsIn(await readFile(server.inbox('alice'), 'latin1'))).not.toContain('half')
  })
})
