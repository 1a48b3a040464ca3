import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configOf } from '../../../core/config/config.js'
import { MailServer } from '../../../core/main/server.js'
import { LogHub } from '../../../core/log/log-hub.js'
import { LmtpClient } from '../../support/lmtp-client.js'
import { subjectsIn } from '../../support/sample-mailbox.js'

let folder = ''
let server: MailServer | undefined
const lines: string[] = []
beforeEach(async () => {
  lines.length = 0
  folder = await mkdtemp(join(tmpdir(), 'mailwright-lmtp-'))
  for (const home of ['first/alice', 'second/alice']) await mkdir(join(folder, home), { recursive: true })
  for (const name of ['first-users', 'second-users']) await writeFile(join(folder, name), 'alice:{SCRYPT}x\n', { mode: 0o600 })
})
afterEach(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

function config(lmtp: object, more: object = {}): object {
  const host = (name: string): object => ({ auth: { passwords: [{ use: 'file', path: `${name}-users` }], users: [{ use: 'virtual', data: name }], names: { stripDomains: ['*'] } } })
  return {
    version: 1,
    server: { name: 'mail.example.org', runDirectory: 'run' },
    log: [],
    listeners: { lmtp: { protocol: 'lmtp', unix: 'lmtp.sock' } },
    hosts: {
      default: { ...host('first'), namespaces: [{ use: 'mailboxfile', inboxPath: '{home}/INBOX' }], protocols: ['imap4', { use: 'lmtp', ...lmtp }], ...more },
      second: { match: { domains: ['second.example'] }, ...host('second') },
    },
  }
}
async function start(lmtp: object = {}, more: object = {}): Promise<string> {
  const log = new LogHub({ write: (_level, event, facts) => void lines.push(`${event} ${JSON.stringify(facts)}`) })
  server = await MailServer.start({ source: configOf(config(lmtp, more), folder), log, inherited: new Map(), listen: true })
  return join(folder, 'lmtp.sock')
}
const inbox = (path: string): Promise<string> => readFile(join(folder, path, 'INBOX'), 'latin1').catch(() => '')

describe('LMTP in one process', () => {
  test('the domain of an address chooses the host, also on one connection', async () => {
    using transport = await LmtpClient.greeted(await start())
    expect(await transport.hand('to both', ['alice@first.example', 'alice@second.example'])).toEqual(['250 2.1.5 <alice@first.example> delivered', '250 2.1.5 <alice@second.example> delivered'])
    for (const home of ['first/alice', 'second/alice']) expect(subjectsIn(await inbox(home))).toEqual(['to both'])
    expect(await inbox('second/alice')).toContain('for alice@second.example;')
  })

  test('connections beyond the limit are told to come again, and one that ends makes room', async () => {
    const path = await start({ maxConnections: 1 })
    const first = await LmtpClient.greeted(path)
    using second = ungreeted(path)
    expect(await second.replies(1)).toEqual(['421 4.3.2 too many connections'])
    expect(await first.say('QUIT\r\n')).toEqual(['221 2.0.0 goodbye'])
    await expect(first.replies(1)).rejects.toThrow('no further reply')
    using third = await LmtpClient.greeted(path)
    expect(await third.hand('x', ['alice'])).toEqual(['250 2.1.5 <alice> delivered'])
    expect(lines.filter((line) => line.startsWith('LMTP connection refused'))).toHaveLength(1)
  })

  test('recipients beyond the limit are left to another turn, and who says nothing is left', async () => {
    const path = await start({ maxRecipients: 100, inactivity: '200ms' })
    using transport = await LmtpClient.greeted(path)
    await transport.say('MAIL FROM:<>\r\n')
    const answers = await transport.say('RCPT TO:<alice>\r\n'.repeat(101), 101)
    expect([answers.slice(0, 100).every((answer) => answer === '250 2.1.5 recipient taken'), answers[100]]).toEqual([true, '452 4.5.3 too many recipients'])
    expect(await transport.replies(1)).toEqual(['421 4.4.2 nothing was said for too long'])
    await expect(transport.replies(1)).rejects.toThrow('no further reply')
    // Also within a message, of which nothing is delivered.
    using half = await LmtpClient.greeted(path)
    await half.say('MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\n', 3)
    half.send('Subject: half\r\n')
    expect(await half.replies(1)).toEqual(['421 4.4.2 nothing was said for too long'])
    expect(await inbox('first/alice')).toBe('')
  })

  test('a backend that does not answer keeps the message with the transport', async () => {
    await rm(join(folder, 'first-users'))
    await mkdir(join(folder, 'first-users'))
    using transport = await LmtpClient.greeted(await start())
    await transport.say('MAIL FROM:<>\r\n')
    expect((await transport.say('RCPT TO:<alice>\r\n'))[0]).toMatch(/^451 4\.3\.0 whether there is an account "alice" cannot be found out/)
    expect((await transport.say('RCPT TO:<alice@second.example>\r\n'))[0]).toBe('250 2.1.5 recipient taken')
  })

  test('a reload leaves the socket file and its connections as they are', async () => {
    const path = await start()
    using transport = await LmtpClient.greeted(path)
    await transport.say('MAIL FROM:<>\r\nRCPT TO:<alice>\r\n', 2)
    await server?.reload(configOf(config({ maxMessage: 1000 }), folder))
    await transport.say('DATA\r\n')
    expect(await transport.say(`Subject: across\r\n\r\n${'x\r\n'.repeat(1000)}.\r\n`)).toEqual(['250 2.1.5 <alice> delivered'])
    using next = await LmtpClient.open(path)
    expect((await next.say('LHLO x\r\n'))[0]).toMatch(/SIZE 1000$/)
  })
})

/** Connected, with what is said first not read. */
function ungreeted(path: string): LmtpClient {
  const socket = connect(path)
  return new LmtpClient(socket, socket, () => socket.destroy())
}
