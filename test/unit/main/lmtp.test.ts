import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MailError } from '../../../core/api/index.js'
import { configOf } from '../../../core/config/config.js'
import { MailServer } from '../../../core/main/server.js'
import { LogHub } from '../../../core/log/log-hub.js'
import { refusal } from '../../../plugins/protocols/lmtp/replies.js'
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

  test('an INBOX on a file system that is not mounted, or became read-only, makes the message wait', async () => {
    await symlink('/nowhere/alice', join(folder, 'first/alice/INBOX'))
    using transport = await LmtpClient.greeted(await start())
    expect(await transport.hand('waits', ['alice@first.example'])).toEqual([expect.stringMatching(/^451 4\.3\.0 Can't open INBOX/)])
    await rm(join(folder, 'first/alice/INBOX'))
    expect(await transport.hand('comes', ['alice@first.example'])).toEqual(['250 2.1.5 <alice@first.example> delivered'])
    for (const kind of ['read-only', 'denied', 'exists'] as const) expect(refusal(new MailError(kind, 'x'), 'delivery').outcome).toEqual([451, '4.3.0'])
    for (const kind of ['over-quota', 'limit'] as const) expect(refusal(new MailError(kind, 'x'), 'delivery').outcome).toEqual([552, '5.2.2'])
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

  const chunks = [
    { name: 'in one', pieces: ['Subject: in chunks\r\n\r\none\r\n.\r\nQUIT\r\n..two\r\n'] },
    { name: 'in several, cut within a line end, the last of none', pieces: ['Subject: in ', 'chunks\r', '\n\r\none\r\n.\r', '\nQUIT\r\n..two\r\n', ''] },
    { name: 'octet by octet', pieces: 'Subject: in chunks\r\n\r\none\r\n.\r\nQUIT\r\n..two\r\n'.split('') },
  ]
  test.each(chunks)('BDAT $name: octets are octets, the last piece is answered for every recipient (RFC 3030 §2, RFC 2033 §4.3)', async ({ pieces }) => {
    using transport = await LmtpClient.greeted(await start())
    await transport.say('MAIL FROM:<bob@example.net> BODY=8BITMIME\r\nRCPT TO:<alice@first.example>\r\nRCPT TO:<alice@second.example>\r\n', 3)
    const last = pieces.length - 1
    for (const [i, piece] of pieces.slice(0, last).entries()) expect([i, ...(await transport.say(`BDAT ${piece.length}\r\n${piece}`))]).toEqual([i, `250 2.0.0 ${piece.length} octets taken`])
    expect(await transport.say(`bdat ${pieces[last]!.length} last\r\n${pieces[last]!}`, 2)).toEqual(['250 2.1.5 <alice@first.example> delivered', '250 2.1.5 <alice@second.example> delivered'])
    for (const home of ['first/alice', 'second/alice']) expect(await inbox(home)).toMatch(/\nSubject: in chunks\n(?:[\w-]+: .*\n)*\none\n\.\nQUIT\n\.\.two\n\n$/)
    expect(await transport.hand('behind it', ['alice@first.example'])).toEqual(['250 2.1.5 <alice@first.example> delivered'])
  })

  test('BDAT in a pipeline, a chunk that is written to a file among them', async () => {
    using transport = await LmtpClient.greeted(await start())
    const line = `${'x'.repeat(70)}\r\n`
    const large = line.repeat(20_000)
    transport.send(`MAIL FROM:<>\r\nRCPT TO:<alice>\r\nBDAT 22\r\nSubject: pipelined\r\n\r\nBDAT ${large.length}\r\n${large}BDAT ${line.length} LAST\r\n${line}RSET\r\nNOOP\r\n`)
    expect(await transport.replies(7)).toEqual([
      '250 2.1.0 sender taken', '250 2.1.5 recipient taken', '250 2.0.0 22 octets taken', `250 2.0.0 ${large.length} octets taken`, '250 2.1.5 <alice> delivered', '250 2.0.0 reset', '250 2.0.0 done',
    ])
    expect((await inbox('first/alice')).split('\n').filter((one) => one === line.trimEnd())).toHaveLength(20_001)
  })

  test('BDAT out of order is refused without its octets being commands; RSET forgets what was sent', async () => {
    using transport = await LmtpClient.greeted(await start())
    const dialogue = [
      ['BDAT 6\r\nNOOP\r\n', '503 5.5.1 there is no recipient'], ['MAIL FROM:<> BODY=BINARYMIME\r\n', '501 5.5.4 BODY cannot be "BINARYMIME"'], ['MAIL FROM:<> SIZE=x\r\n', '501 5.5.4 SIZE cannot be "x"'],
      ['MAIL FROM:<> SMTPUTF8=1\r\n', '501 5.5.4 SMTPUTF8 cannot be "1"'], ['MAIL FROM:<>\r\n', '250 2.1.0 sender taken'], ['RCPT TO:<nobody>\r\n', '550 5.1.1 there is no account "nobody"'],
      ['BDAT 6 LAST\r\nQUIT\r\n', '503 5.5.1 there is no recipient'], ['RCPT TO:<alice>\r\n', '250 2.1.5 recipient taken'], ['BDAT 17\r\nSubject: begun\r\n\r', '250 2.0.0 17 octets taken'],
      ['DATA\r\n', '503 5.5.1 the message has begun: BDAT, or RSET'], ['RCPT TO:<alice>\r\n', '503 5.5.1 the message has begun: BDAT, or RSET'], ['MAIL FROM:<>\r\n', '503 5.5.1 a message is under way'],
      ['NOOP\r\n', '250 2.0.0 done'], ['RSET\r\n', '250 2.0.0 reset'], ['BDAT 6 LAST\r\nQUIT\r\n', '503 5.5.1 there is no recipient'], ['MAIL FROM:<>\r\n', '250 2.1.0 sender taken'], ['RCPT TO:<alice>\r\n', '250 2.1.5 recipient taken'],
      ['BDAT 0 LAST\r\n', '554 5.6.0 there is no message'], ['NOOP\r\n', '250 2.0.0 done'],
    ] as const
    for (const [said, reply] of dialogue) expect([said, ...(await transport.say(said))]).toEqual([said, reply])
    expect(await inbox('first/alice')).toBe('')
    // How many octets follow is not known: nothing behind it is a command.
    expect(await transport.say('BDAT -1 LAST\r\nMAIL FROM:<>\r\n')).toEqual(['501 5.5.4 BDAT SIZE or BDAT SIZE LAST'])
    await expect(transport.replies(1)).rejects.toThrow('no further reply')
  })

  test('BDAT beyond the limit: each further piece is refused, the last for every recipient, and nothing is delivered', async () => {
    using transport = await LmtpClient.greeted(await start({ maxMessage: 1000 }))
    await transport.say('MAIL FROM:<>\r\nRCPT TO:<alice@first.example>\r\nRCPT TO:<alice@second.example>\r\n', 3)
    const over = '552 5.3.4 the message has more than 1000 octets'
    expect(await transport.say(`BDAT 900\r\n${'x'.repeat(900)}`)).toEqual(['250 2.0.0 900 octets taken'])
    expect(await transport.say(`BDAT 200000\r\n${'y'.repeat(200_000)}BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n`, 5)).toEqual([over, over, over, over, '250 2.0.0 done'])
    expect(await transport.hand('behind it', ['alice@first.example'])).toEqual(['250 2.1.5 <alice@first.example> delivered'])
    expect([subjectsIn(await inbox('first/alice')), await inbox('second/alice')]).toEqual([['behind it'], ''])
  })

  const drops = [
    { name: 'within a chunk', said: 'BDAT 30\r\nSubject: half\r\n' },
    { name: 'between two chunks', said: 'BDAT 17\r\nSubject: half\r\n\r\n' },
  ]
  test.each(drops)('a link that drops $name of BDAT delivers nothing, and the server goes on', async ({ said }) => {
    const path = await start()
    for (const how of ['ends', 'is reset'] as const) {
      using transport = await LmtpClient.greeted(path)
      await transport.say('MAIL FROM:<>\r\nRCPT TO:<alice>\r\n', 2)
      transport.send(said)
      if (how === 'ends') transport.end()
      else transport[Symbol.dispose]()
      await expect.poll(() => server?.open).toBe(0)
    }
    expect(await inbox('first/alice')).toBe('')
    using next = await LmtpClient.greeted(path)
    expect(await next.hand('whole', ['alice'])).toEqual(['250 2.1.5 <alice> delivered'])
    expect(subjectsIn(await inbox('first/alice'))).toEqual(['whole'])
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
