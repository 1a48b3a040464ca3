import { describe, expect, test } from 'vitest'
import { SERVER_VERSION } from '../../../core/session/version.js'
import { CUTS } from '../../support/imap-client.js'
import { Pop3Fixture } from '../../support/pop3.js'

const NOTE_OCTETS = 105

describe('AUTHORIZATION', () => {
  const refusals = [
    { name: 'a command of the other state', line: 'STAT', answer: '-ERR Unknown AUTHORIZATION state command' },
    { name: 'a word that is no command', line: 'EHLO there', answer: '-ERR Unknown AUTHORIZATION state command' },
    { name: 'an empty line', line: '', answer: '-ERR Null command' },
    { name: 'a line of 1025 octets with its end', line: `USER ${'x'.repeat(1018)}`, answer: '-ERR Command line too long' },
    { name: 'USER without a name', line: 'USER', answer: '-ERR Missing username argument' },
    { name: 'USER with spaces alone', line: 'USER    ', answer: '-ERR Missing username argument' },
    { name: 'PASS before USER', line: 'PASS secret', answer: '-ERR Unknown AUTHORIZATION state command' },
    { name: 'RPOP', line: 'RPOP alice', answer: '-ERR Nice try, bunkie' },
    { name: 'APOP without a database', line: 'APOP alice c4c9334bac560ecc979e58001b3e22fb', answer: '-ERR Not supported' },
    { name: 'STLS without a certificate', line: 'STLS', answer: '-ERR STLS failed: This server does not support TLS' },
    { name: 'a mechanism that is not there', line: 'AUTH NTLM', answer: '-ERR Bad authentication' },
    { name: 'an initial response that is no base64', line: 'AUTH PLAIN !!', answer: '-ERR Bad authentication' },
    { name: 'XTND', line: 'XTND XMIT', answer: '-ERR Unknown AUTHORIZATION state command' },
  ]
  test.each(refusals)('$name is refused, and the session goes on', async ({ line, answer }) => {
    await using server = await Pop3Fixture.make()
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: ${line}
      S: ${answer}
      C: quit
      S: +OK Sayonara
      S: <end>
    `)
  })

  test('a line of 1024 octets with its end is taken, and what remains of a longer one is dropped', async () => {
    await using server = await Pop3Fixture.make()
    const client = server.connect()
    await client.line()
    await client.play(`
      C: USER ${'x'.repeat(1017)}
      S: +OK User name accepted, password please
      C: USER ${'x'.repeat(5000)} QUIT
      S: -ERR Command line too long
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
  })

  test('USER and PASS log in; the answer tells the number of messages (RFC 1939 §7)', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two')
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: uSeR   alice
      S: +OK User name accepted, password please
      C: pass secret
      S: +OK Mailbox open, 2 messages
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
    expect(server.logged.filter((l) => l.startsWith('info'))).toEqual([
      'info Login user=alice host=[127.0.0.1] session=s1 nmsgs=2/2',
      'info Update user=alice host=[127.0.0.1] session=s1 nmsgs=2 ndele=0 nseen=0',
      'info Logout user=alice host=[127.0.0.1] session=s1',
    ])
  })

  test('a wrong password has one text for all reasons, and another try begins with USER', async () => {
    await using server = await Pop3Fixture.make()
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: USER alice
      S: +OK User name accepted, password please
      C: PASS
      S: -ERR Missing password argument
      C: PASS wrong
      S: -ERR [AUTH] Bad login
      C: PASS secret
      S: -ERR Unknown AUTHORIZATION state command
      C: USER nobody
      S: +OK User name accepted, password please
      C: PASS secret
      S: -ERR [AUTH] Bad login
      C: USER spaced
      S: +OK User name accepted, password please
      C:  PASS  a b 
      S: -ERR Unknown AUTHORIZATION state command
      C: PASS  a b 
      S: +OK Mailbox open, 0 messages
    `)
  })

  test('QUIT before the login is logged without a name', async () => {
    await using server = await Pop3Fixture.make()
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
    expect(server.logged).toEqual(['info Logout user=??? host=[127.0.0.1] session=s1'])
  })

  test('where passwords must be encrypted USER and PASS do not exist before STLS, and exist after it (RFC 2595 §4)', async () => {
    await using server = await Pop3Fixture.make({ plaintext: false })
    await server.connect({ tls: 'offered' }).play(`
      S: +OK POP3 mail.example.org server ready
      C: USER alice
      S: -ERR Unknown AUTHORIZATION state command
      C: CAPA
      S: +OK Capability list follows:
      S: TOP
      S: LOGIN-DELAY 180
      S: UIDL
      S: STLS
      S: RESP-CODES
      S: AUTH-RESP-CODE
      S: PIPELINING
      S: EXPIRE NEVER
      S: IMPLEMENTATION Mailwright
      S: LANG
      S: UTF8 USER
      S: .
      C: AUTH
      S: +OK Supported authentication mechanisms:
      S: .
      C: STLS
      S: +OK STLS completed
      C: CAPA
      S: +OK Capability list follows:
      S: TOP
      S: LOGIN-DELAY 180
      S: UIDL
      S: USER
      S: SASL PLAIN LOGIN
      S: RESP-CODES
      S: AUTH-RESP-CODE
      S: PIPELINING
      S: EXPIRE NEVER
      S: IMPLEMENTATION Mailwright
      S: LANG
      S: UTF8 USER
      S: .
      C: STLS
      S: -ERR STLS failed: Already in an SSL session
      C: USER alice
      S: +OK User name accepted, password please
      C: PASS secret
      S: +OK Mailbox open, 0 messages
    `)
  })

  test('CAPA offers the same mechanisms in both states, so that a client under a security layer can compare them (RFC 2449 §6.2, §6.3)', async () => {
    await using server = await Pop3Fixture.make()
    const offer = async (client: Awaited<ReturnType<typeof server.session>>): Promise<readonly string[]> => {
      await client.send('CAPA\r\n')
      return (await client.unread()).split('\r\n').filter((line) => /^(USER|SASL)/.test(line))
    }
    const before = await offer(server.connect())
    expect(before).toEqual(['USER', 'SASL PLAIN LOGIN'])
    expect(await offer(await server.session())).toEqual(before)
  })

  test('a name given in clear is forgotten under TLS', async () => {
    await using server = await Pop3Fixture.make()
    await server.connect({ tls: 'offered' }).play(`
      S: +OK POP3 mail.example.org server ready
      C: USER alice
      S: +OK User name accepted, password please
      C: STLS
      S: +OK STLS completed
      C: PASS secret
      S: -ERR Unknown AUTHORIZATION state command
    `)
  })

  test('AUTH takes initial responses and challenges, and can be cancelled (RFC 5034 §4)', async () => {
    await using server = await Pop3Fixture.make()
    const plain = Buffer.from('\0alice\0secret').toString('base64')
    const wrong = Buffer.from('\0alice\0wrong').toString('base64')
    await server.connect().play(`
      S: +OK POP3 mail.example.org server ready
      C: AUTH
      S: +OK Supported authentication mechanisms:
      S: PLAIN
      S: LOGIN
      S: .
      C: auth plain
      S: + 
      C: *
      S: -ERR Bad authentication
      C: AUTH PLAIN
      S: + 
      C: not base64!
      S: -ERR Bad authentication
      C: AUTH PLAIN =
      S: -ERR [AUTH] Bad authentication
      C: AUTH PLAIN ${wrong}
      S: -ERR [AUTH] Bad authentication
      C: AUTH PLAIN ${plain}
      S: +OK Mailbox open, 0 messages
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
    expect(server.logged.at(0)).toBe('info Auth user=alice host=[127.0.0.1] session=s1 nmsgs=0/0')
  })
})

describe('TRANSACTION', () => {
  test('every command of RFC 1939', async () => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one', 'two', 'six')
    const client = await server.session()
    const s = NOTE_OCTETS + 12
    await client.play(`
      C: STAT
      S: +OK 3 ${3 * s}
      C: LIST
      S: +OK Mailbox scan listing follows
      S: 1 ${s}
      S: 2 ${s}
      S: 3 ${s}
      S: .
      C: LIST 2
      S: +OK 2 ${s}
      C: LAST
      S: +OK 0
      C: RETR 2
      S: +OK ${s} octets
      S: From: alice@example.org
      S: To: bob@example.org
      S: Subject: two
      S: Date: Fri, 2 Jan 2026 03:04:05 +0000
      S: Status:   
      S: 
      S: two
      S: .
      C: LAST
      S: +OK 2
      C: TOP 3 0
      S: +OK Top of message follows
      S: From: alice@example.org
      S: To: bob@example.org
      S: Subject: six
      S: Date: Fri, 2 Jan 2026 03:04:05 +0000
      S: Status:   
      S: 
      S: .
      C: LAST
      S: +OK 3
      C: DELE 1
      S: +OK Message deleted
      C: DELE 1
      S: -ERR No such message
      C: RETR 1
      S: -ERR No such message
      C: STAT
      S: +OK 2 ${2 * s}
      C: LIST
      S: +OK Mailbox scan listing follows
      S: 2 ${s}
      S: 3 ${s}
      S: .
      C: NOOP
      S: +OK No-op to you too!
      C: RSET
      S: +OK Reset state
      C: LAST
      S: +OK 0
      C: STAT
      S: +OK 3 ${3 * s}
      C: UIDL 3
      S: +OK 3 <any>00000003
      C: UIDL
      S: +OK Unique-ID listing follows
      S: 1 <any>00000001
      S: 2 <any>00000002
      S: 3 <any>00000003
      S: .
      C: QUIT
      S: +OK Sayonara
      S: <end>
    `)
    expect(await server.inbox()).toEqual(['one', 'two', 'six'])
  })

  const refusals = [
    { line: 'LIST 0', answer: '-ERR No such message' },
    { line: 'LIST 2', answer: '-ERR No such message' },
    { line: 'LIST x', answer: '-ERR Bad message number argument' },
    { line: 'LIST -1', answer: '-ERR Bad message number argument' },
    { line: 'UIDL 2', answer: '-ERR No such message' },
    { line: 'UIDL x', answer: '-ERR Bad message number argument' },
    { line: 'RETR', answer: '-ERR Missing message number argument' },
    { line: 'RETR 99999999999999999999', answer: '-ERR Bad message number argument' },
    { line: 'DELE', answer: '-ERR Missing message number argument' },
    { line: 'DELE 2', answer: '-ERR No such message' },
    { line: 'TOP', answer: '-ERR Missing message number argument' },
    { line: 'TOP 1', answer: '-ERR Bad line count argument' },
    { line: 'TOP 1 x', answer: '-ERR Bad line count argument' },
    { line: 'TOP x 1', answer: '-ERR Bad message number argument' },
    { line: 'XTND XMIT', answer: "-ERR Sorry I can't do that" },
    { line: 'USER alice', answer: '-ERR Unknown TRANSACTION state command' },
    { line: 'STLS', answer: '-ERR Unknown TRANSACTION state command' },
    { line: 'AUTH PLAIN', answer: '-ERR Unknown TRANSACTION state command' },
    { line: '', answer: '-ERR Null command' },
  ]
  test.each(refusals)('"$line" is answered $answer', async ({ line, answer }) => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one')
    const client = await server.session()
    await client.play(`
      C: ${line}
      S: ${answer}
      C: STAT
      S: +OK 1 ${NOTE_OCTETS + 12}
    `)
  })

  test.each(CUTS)('commands may arrive in any pieces: %s', async (cut) => {
    await using server = await Pop3Fixture.make()
    await server.deliver('one')
    const client = server.connect({ cut })
    await client.play(`
      S: +OK POP3 mail.example.org server ready
      C>: USER alice\\r\\nPASS secret\\r\\nSTAT\\r\\nDELE 1\\r\\nNOOP\\r\\nQUIT\\r\\n
      S: +OK User name accepted, password please
      S: +OK Mailbox open, 1 messages
      S: +OK 1 ${NOTE_OCTETS + 12}
      S: +OK Message deleted
      S: +OK No-op to you too!
      S: +OK Sayonara
      S: <end>
    `)
    expect(await server.inbox()).toEqual([])
  })

  test('lines that end with LF alone are lines', async () => {
    await using server = await Pop3Fixture.make()
    const client = server.connect()
    await client.play(`
      S: +OK POP3 mail.example.org server ready
      C>: USER alice\\nPASS secret\\nQUIT\\n
      S: +OK User name accepted, password please
      S: +OK Mailbox open, 0 messages
      S: +OK Sayonara
      S: <end>
    `)
  })
})

test('the greeting names the version of the server where the site wants it (FAQ 5.3)', async () => {
  for (const [greetingVersion, version] of [['full', ` ${SERVER_VERSION}`], ['none', '']] as const) {
    await using server = await Pop3Fixture.make({ settings: { greetingVersion } })
    expect(await server.connect().line()).toBe(`+OK POP3 mail.example.org${version} server ready`)
  }
})
