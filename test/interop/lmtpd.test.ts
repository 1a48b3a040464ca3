import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LmtpClient } from '../support/lmtp-client.js'
import { run } from '../support/programs.js'
import { hasPostfix, Postfix } from '../support/postfix.js'
import { subjectsIn } from '../support/sample-mailbox.js'
import { NOBODY, transportSite } from '../support/transport-site.js'

const CLI = fileURLToPath(new URL('../../dist/core/main/cli.js', import.meta.url))
const ROOT = process.getuid?.() === 0

/** One connection, as a mail transport has it, to a program on standard input and output. */
class Transport extends LmtpClient {
  readonly child: ChildProcess
  constructor(program: string, args: readonly string[]) {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    super(child.stdout, child.stdin, () => child.kill('SIGKILL'))
    this.child = child
  }
}

describe('mailwright lmtpd', () => {
  let folder = ''
  let config = ''
  beforeEach(async () => {
    ;({ folder, config } = await transportSite('lmtp'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  /** As the owner of the mail: not as root. */
  function command(): readonly [string, readonly string[]] {
    const args = [CLI, 'lmtpd', '--create', '--config', config]
    return ROOT ? ['setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath, ...args]] : [process.execPath, args]
  }
  async function greeted(): Promise<Transport> {
    const transport = new Transport(...command())
    expect(await transport.replies(1)).toEqual(['220 mail.example.org LMTP'])
    expect(await transport.say('LHLO relay.example.org\r\n')).toEqual(['250-mail.example.org\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250 SIZE'])
    return transport
  }
  const box = (user: string, name = 'INBOX'): Promise<string> => readFile(join(folder, 'mail', user, name), 'latin1').catch(() => '')

  test('each recipient is answered, in order, when its copy is on the disk; unknown ones before the message', { timeout: 60_000 }, async () => {
    using transport = await greeted()
    expect(await transport.say('MAIL FROM:<bob@example.net> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<alice@example.org>\r\nRCPT TO:<carol@example.org>\r\nRCPT TO:<bob+lists@example.org>\r\nDATA\r\n', 5)).toEqual([
      '250 2.1.0 sender taken', '250 2.1.5 recipient taken', '550 5.1.1 there is no account "carol"', '250 2.1.5 recipient taken', '354 the message, then a line of one dot',
    ])
    // A dot between other line ends is text, and so is a command behind it.
    const smuggled = 'one\n.\nMAIL FROM:<x@example.net>\r\n'
    expect(await transport.say(`Subject: first\r\n\r\n..\r\n...two\r\n${smuggled}\r\n.\r\n`, 2)).toEqual(['250 2.1.5 <alice@example.org> delivered', '250 2.1.5 <bob+lists@example.org> delivered'])
    const [alice, lists] = [await box('alice'), await box('bob', 'lists')]
    expect(alice).toMatch(/^From .*\nReturn-Path: <bob@example.net>\nReceived: by mail.example.org \(Mailwright\)\n\tfor alice@example.org; .*\nSubject: first\n/)
    expect(alice).toContain('\n.\n..two\none\n.\nMAIL FROM:<x@example.net>\n\n')
    expect(subjectsIn(lists)).toEqual(['first'])
    expect(await transport.say('MAIL FROM:<>\r\nRCPT TO:<"alice">\r\nDATA\r\nSubject: second\r\n\r\nx\r\n.\r\nQUIT\r\n', 5)).toEqual([
      '250 2.1.0 sender taken', '250 2.1.5 recipient taken', '354 the message, then a line of one dot', '250 2.1.5 <alice> delivered', '221 2.0.0 goodbye',
    ])
    expect(await once(transport.child, 'exit')).toEqual([0, null])
    expect(subjectsIn(await box('alice'))).toEqual(['first', 'second'])
    expect(await box('alice')).toContain('Return-Path: <>\n')
  })

  test('a message comes whole however it is cut, and of one that does not end nothing is delivered', { timeout: 60_000 }, async () => {
    using transport = await greeted()
    const text = `Subject: cut\r\n\r\n${'..line\r\n'.repeat(20)}${'x'.repeat(5000)}\r\n`
    await transport.say('MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\n', 3)
    for (const octet of `${text}.\r\n`.match(/[^]{1,3}/g) ?? []) {
      transport.send(octet)
      if (octet.includes('.')) await new Promise(setImmediate)
    }
    expect(await transport.replies(1)).toEqual(['250 2.1.5 <alice> delivered'])
    expect(await box('alice')).toContain(`\n${'.line\n'.repeat(20)}${'x'.repeat(5000)}\n`)
    const before = await box('alice')
    await transport.say('MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\n', 3)
    transport.send('Subject: unfinished\r\n\r\nx\r\n.')
    transport.end()
    expect(await once(transport.child, 'exit')).toEqual([0, null])
    expect(await box('alice')).toBe(before)
  })

  test('what is out of order, unknown or malformed is refused, and the connection goes on', { timeout: 60_000 }, async () => {
    using transport = new Transport(...command())
    await transport.replies(1)
    const dialogue = [
      ['MAIL FROM:<a@example.org>', '503 5.5.1 LHLO first'], ['EHLO x', '500 5.5.1 this is LMTP: LHLO'], ['HELO x', '500 5.5.1 this is LMTP: LHLO'], ['LHLO', '501 5.5.4 LHLO wants a name'],
      ['RCPT TO:<alice>', '503 5.5.1 MAIL first'], ['XYZZY', '500 5.5.1 unknown command'], ['constructor', '500 5.5.1 unknown command'],
    ] as const
    for (const [said, reply] of dialogue) expect([said, ...(await transport.say(`${said}\r\n`))]).toEqual([said, reply])
    await transport.say('LHLO x\r\n')
    const more = [
      ['DATA', '503 5.5.1 there is no recipient'], ['MAIL TO:<a>', '501 5.5.4 MAIL FROM:<address>'], ['MAIL FROM:<a> NONSENSE=1', '555 5.5.4 unknown parameter NONSENSE'], ['mail from:<@relay.example.net:a@example.net>', '250 2.1.0 sender taken'],
      ['MAIL FROM:<b>', '503 5.5.1 a message is under way'], ['RCPT TO:<>', '501 5.1.3 RCPT TO:<address>'], ['RCPT TO:<+lists>', '550 5.1.3 the address names no account'], ['RCPT TO:<alice> NOTIFY=NEVER', '555 5.5.4 unknown parameter NOTIFY'],
      ['DATA', '503 5.5.1 there is no recipient'], ['RSET', '250 2.0.0 reset'], ['RCPT TO:<alice>', '503 5.5.1 MAIL first'], ['NOOP', '250 2.0.0 done'], ['VRFY alice', '252 2.5.0 try RCPT'],
    ] as const
    for (const [said, reply] of more) expect([said, ...(await transport.say(`${said}\r\n`))]).toEqual([said, reply])
    expect(await transport.say(`NOOP ${'x'.repeat(5000)}\r\n`)).toEqual(['500 5.5.2 the line is too long'])
    expect(await once(transport.child, 'exit')).toEqual([0, null])
  })

  test('a mailbox that cannot take it now keeps the message with the transport; the others have theirs', { timeout: 60_000 }, async () => {
    await writeFile(join(folder, 'mail/bob/INBOX'), 'no mailbox\n')
    using transport = await greeted()
    await transport.say('MAIL FROM:<>\r\nRCPT TO:<bob>\r\nRCPT TO:<alice>\r\nDATA\r\n', 4)
    const [first = '', second] = await transport.say('Subject: x\r\n\r\nx\r\n.\r\n', 2)
    expect(first).toMatch(/^451 4\.3\.0 .*not in valid mailbox format$/)
    expect(second).toBe('250 2.1.5 <alice> delivered')
    expect(await box('bob')).toBe('no mailbox\n')
    // Told to end, it says so.
    await transport.say('NOOP\r\n')
    transport.child.kill('SIGTERM')
    expect(await transport.replies(1)).toEqual(['421 4.3.2 the server stops'])
    await once(transport.child, 'exit')
  })

  test('what was answered is there after kill -9, and what was not is there as a whole or not at all', { timeout: 120_000 }, async () => {
    let least = 0
    for (let round = 0; round < 6; round++) {
      using transport = await greeted()
      for (let n = 0; n < 3; n++) await transport.say(`MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: r${round}n${n}\r\n\r\n${'text\r\n'.repeat(5000)}.\r\n`, 4)
      least += 3
      transport.send(`MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: r${round}n3\r\n\r\n${'text\r\n'.repeat(5000)}.\r\n`)
      await transport.replies(3)
      await new Promise((go) => setTimeout(go, round * 7))
      transport.child.kill('SIGKILL')
      await once(transport.child, 'close')
    }
    // Somebody who looks finishes what was interrupted.
    using last = await greeted()
    await last.say('MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: last\r\n\r\nx\r\n.\r\n', 4)
    const found = await box('alice')
    const subjects = subjectsIn(found)
    expect(new Set(subjects).size).toBe(subjects.length)
    expect(subjects.at(-1)).toBe('last')
    expect(subjects.filter((s) => /n[012]$/.test(s))).toHaveLength(least)
    expect(found.split('text\n').length - 1).toBe(5000 * (subjects.length - 1))
  })

  test.skipIf(!ROOT)('root is refused', async () => {
    expect(await run(process.execPath, [CLI, 'lmtpd', '--config', config], { input: '', limitMs: 60_000 })).toMatchObject({ code: 64 })
  })

  test.skipIf(!hasPostfix)('Postfix hands over to it, one connection for several recipients', { timeout: 240_000 }, async () => {
    let connections = 0
    // As a systemd socket with Accept=yes does.
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      connections++
      const child = spawn(...command(), { stdio: [socket, socket, 'inherit'] })
      child.once('exit', () => socket.destroy())
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      // A TCP server that listens has an address with a port.
      const { port } = server.address() as AddressInfo
      await using postfix = await Postfix.start(`lmtp:inet:127.0.0.1:${port}`)
      await postfix.send('From: x@example.net\nSubject: to three\n\n.\nFrom here on\n..\n', 'x@example.net', 'alice@example.org', 'bob@example.org', 'alice+lists@example.org', 'carol@example.org')
      await postfix.logs(/to=<carol@example\.org>.*dsn=5\.1\.1, status=bounced/)
      for (const who of ['alice', 'alice\\+lists', 'bob']) await postfix.logs(new RegExp(`to=<${who}@example\\.org>.*dsn=2\\.1\\.5, status=sent`))
      for (const [user, name] of [['alice', 'INBOX'], ['alice', 'lists'], ['bob', 'INBOX']] as const) {
        expect(subjectsIn(await box(user, name))).toEqual(['to three'])
        expect(await box(user, name)).toContain('\n.\n>From here on\n..\n')
      }
      expect(connections).toBe(1)
    } finally {
      server.close()
    }
  })
})
