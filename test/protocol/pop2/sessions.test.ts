import { describe, expect, test } from 'vitest'
import { MailError } from '../../../core/api/index.js'
import { settle } from '../../support/imap-client.js'
import { named, never } from '../../support/mail.js'
import { Pop2Server } from '../../support/pop2.js'

const LOGIN = String.raw`
  S: + POP2 mail.example.org server ready
  C: HELO alice se\\ cret
`.replaceAll('\\\\', '\\')

describe('POP2 (RFC 937)', () => {
  test.each(['whole', 'octets', 'line ends'] as const)('messages are read, acknowledged and deleted, and the deletions are done at QUIT (%s)', async (cut) => {
    await using server = await Pop2Server.make()
    await server.pop3.deliver('one', 'two')
    const client = server.connect(cut)
    await client.play(`${LOGIN}
      S: #2 messages in INBOX
      C: READ
      S: =119 characters in message 1
      C: RETR
      S: From: alice@example.org
      S: To: bob@example.org
      S: Subject: one
      S: Date: Fri, 2 Jan 2026 03:04:05 +0000
      S: Status:   
      S: 
      S: one
      S: 
      C: ACKD
      S: =119 characters in message 2
      C: READ 2
      S: =119 characters in message 2
    `)
    expect(await server.pop3.inbox()).toEqual(['one', 'two'])
    await client.play(`
      C: READ 3
      S: =0 No more messages
      C: QUIT
      S: + Sayonara
      S: <end>
    `)
    expect(await server.pop3.inbox()).toEqual(['two'])
  })

  test('NACK offers the same message again, ACKS the next one; what was read is marked at QUIT', async () => {
    await using server = await Pop2Server.make()
    await server.pop3.deliver('Subject: a\n\n.x\n', 'Subject: b\n')
    const client = server.connect()
    await client.play(`${LOGIN}
      S: #2 messages in INBOX
      C: read 1
      S: =32 characters in message 1
      C: retr
      S: Subject: a
      S: Status:   
      S: 
      S: .x
      S: 
      C: NACK
      S: =32 characters in message 1
      C: RETR
      S: Subject: a
      S: Status:   
      S: 
      S: .x
      S: 
      C: ACKS
      S: =26 characters in message 2
      C: RETR
      S: Subject: b
      S: Status:   
      S: 
      C: NACK
      S: =26 characters in message 2
      C: QUIT
      S: + Sayonara
      S: <end>
    `)
    expect(await server.pop3.inbox()).toEqual(['a S', 'b'])
  })

  test('FOLD opens another mailbox and ends the one before', async () => {
    await using server = await Pop2Server.make()
    await server.pop3.deliver('one', 'two')
    await using mail = await server.pop3.access()
    await mail.create(named('other'), { specialUse: [] }, never)
    const client = server.connect()
    await client.play(`${LOGIN}
      S: #2 messages in INBOX
      C: READ 1
      S: =119 characters in message 1
      C: RETR
      S: From: alice@example.org
      S: To: bob@example.org
      S: Subject: one
      S: Date: Fri, 2 Jan 2026 03:04:05 +0000
      S: Status:   
      S: 
      S: one
      S: 
      C: ACKD
      S: =119 characters in message 2
      C: FOLD other
      S: #0 messages in other
    `)
    expect(await server.pop3.inbox()).toEqual(['two'])
    await client.play(`
      C: FOLD nowhere
      S: #0 messages in <none>
      C: READ
      S: =0 No more messages
    `)
  })

  test('a dropped connection changes nothing', async () => {
    await using server = await Pop2Server.make()
    await server.pop3.deliver('one')
    const client = server.connect()
    await client.send('HELO alice se cret\r\nREAD 1\r\nRETR\r\nACKD\r\n')
    await client.unread()
    await client.end()
    await settle()
    expect(await server.pop3.inbox()).toEqual(['one'])
    expect(server.log.lines.at(-1)).toBe('info Command stream end of file, while reading line user=alice host=[127.0.0.1] session=s1')
  })

  test('a link that is lost is a Hangup, and changes nothing', async () => {
    await using server = await Pop2Server.make()
    await server.pop3.deliver('one')
    const client = server.connect()
    await client.send('HELO alice se cret\r\nREAD 1\r\nRETR\r\nACKD\r\n')
    await client.unread()
    server.drop()
    await settle()
    expect(await server.pop3.inbox()).toEqual(['one'])
    expect(server.log.lines.at(-1)).toBe('info Hangup user=alice host=[127.0.0.1] session=s1')
  })

  const before = [
    { name: 'a wrong password', line: 'HELO alice wrong', answer: '- Bad login' },
    { name: 'HELO without a password', line: 'HELO alice', answer: '- Missing user or password' },
    { name: 'HELO alone', line: 'HELO', answer: '- Missing user or password' },
    { name: 'an empty line', line: '', answer: '- Missing or null command' },
    { name: 'a command of another state', line: 'READ 1', answer: '- Bogus or out of sequence command' },
    { name: 'QUIT with an argument', line: 'QUIT now', answer: '- Bogus argument given to QUIT' },
    { name: 'a line that is too long', line: `HELO ${'x'.repeat(1020)}`, answer: '- Command line too long' },
  ]
  test.each(before)('before the login, $name ends the session', async ({ line, answer }) => {
    await using server = await Pop2Server.make()
    await server.connect().play(`
      S: + POP2 mail.example.org server ready
      C: ${line}
      S: ${answer}
      S: <end>
    `)
  })

  const after = [
    { line: 'RETR', answer: '- Bogus or out of sequence command' },
    { line: 'ACKS', answer: '- Bogus or out of sequence command' },
    { line: 'FOLD', answer: '- Missing mailbox name' },
    { line: 'READ x', answer: '- Invalid message number given to READ' },
    { line: 'READ 0', answer: '- Invalid message number given to READ' },
    { line: 'QUIT 1', answer: '- Bogus argument given to QUIT' },
    { line: 'NOOP', answer: '- Bogus or out of sequence command' },
  ]
  test.each(after)('after the login, "$line" is answered $answer, and the session ends', async ({ line, answer }) => {
    await using server = await Pop2Server.make()
    const client = server.connect()
    await client.play(`${LOGIN}
      S: #0 messages in INBOX
      C: ${line}
      S: ${answer}
      S: <end>
    `)
  })

  test('where passwords must be encrypted there is no POP2', async () => {
    await using server = await Pop2Server.make('encrypted-only')
    await server.connect().play(`
      S: - POP2 server disabled on this system
      S: <end>
    `)
  })

  test('whoever says nothing is told Autologout', async () => {
    await using server = await Pop2Server.make()
    const client = server.connect()
    await client.play(`${LOGIN}
      S: #0 messages in INBOX
    `)
    server.pop3.clock.advance(1_800_001)
    expect(await client.line()).toBe('- Autologout; idle for too long')
    expect(await client.line()).toBeUndefined()
  })

  const NONE = `${LOGIN}
      S: #0 messages in <none>
      C: READ
      S: =0 No more messages
      C: QUIT
      S: + Sayonara
      S: <end>
    `
  test('the maildrop is for one session, be it POP2 or POP3', async () => {
    await using server = await Pop2Server.make()
    await server.pop3.deliver('one')
    const pop3 = await server.pop3.session()
    await server.connect().play(NONE)
    await pop3.play(`
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
    const first = server.connect()
    await first.play(`${LOGIN}
      S: #1 messages in INBOX
    `)
    await server.connect().play(NONE)
    await server.pop3.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: USER alice
      S: +OK User name accepted, password please
      C: PASS secret
      S: -ERR [IN-USE] Can't get lock.  Mailbox in use
      S: <end>
    `)
    // It is let go with the mailbox, not with the session.
    await first.play(`
      C: FOLD nowhere
      S: #0 messages in <none>
    `)
    await (await server.pop3.session()).play(`
      C: STAT
      S: +OK 1 117
    `)
  })

  test('one that has been idle for more than 5 minutes gives way, and what it acknowledged is forgotten', async () => {
    await using server = await Pop2Server.make()
    await server.pop3.deliver('one')
    const first = server.connect()
    await first.send('HELO alice se cret\r\nREAD 1\r\nRETR\r\nACKD\r\n')
    await first.unread()
    server.pop3.clock.advance(300_001)
    const second = await server.pop3.session()
    await second.play(`
      C: STAT
      S: +OK 1 117
    `)
    await settle()
    expect(server.log.lines.at(-1)).toBe('info Killed (lost mailbox lock) user=alice host=[127.0.0.1] session=s1')
    expect(await first.unread()).toMatch(/- Killed \(lost mailbox lock\)\r\n$/)
    expect(await server.pop3.inbox()).toEqual(['one'])
  })

  const failures = [
    { name: 'the store says so', error: new MailError('unavailable', 'no space left'), answer: '- Mailbox is not available now' },
    { name: 'a driver has a bug', error: new TypeError('x is undefined'), answer: '- Internal error' },
  ]
  test.each(failures)('QUIT that cannot remove what was acknowledged says so, and it is there: $name', async ({ error, answer }) => {
    await using server = await Pop2Server.make()
    await server.pop3.deliver('one')
    const client = server.connect()
    await client.send('HELO alice se cret\r\nREAD 1\r\nRETR\r\nACKD\r\n')
    await client.unread()
    const source = await server.pop3.openSource()
    source.expunge = () => Promise.reject(error)
    await client.send('QUIT\r\n')
    await settle()
    expect(await client.unread()).toMatch(new RegExp(`=0 No more messages\r\n${answer}\r\n$`))
    expect(await server.pop3.inbox()).toEqual(['one'])
  })
})
