import { describe, expect, test } from 'vitest'
import { MailError } from '../../core/api/index.js'
import type { LoginGate } from '../../core/api/index.js'
import { CUTS } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'

const gate = (change: Partial<LoginGate>): LoginGate => ({
  mechanisms: () => ['PLAIN'],
  plaintext: () => true,
  sasl: () => Promise.resolve({ kind: 'out' }),
  password: () => Promise.resolve({ kind: 'out' }),
  change: () => Promise.resolve({ kind: 'disabled' }),
  ...change,
})

describe.each(CUTS)('LOGIN (RFC 3501 §6.2.3), input cut: %s', (cut) => {
  test('takes atoms, quoted strings and literals', async () => {
    await using server = await ImapFixture.make()
    await server.connect({ cut }).play(`
      S: * OK <any>
      C: a1 LOGIN alice secret
      S: a1 OK [CAPABILITY <any>] User alice authenticated
    `)
    await server.connect({ cut }).play(`
      S: * OK <any>
      C: a1 login "alice" "secret"
      S: a1 OK [CAPABILITY <any>] User alice authenticated
    `)
    await server.connect({ cut }).play(`
      S: * OK <any>
      C: a1 LOGIN {5}
      S: + Ready for argument
      C: alice {6}
      S: + Ready for argument
      C: secret
      S: a1 OK [CAPABILITY <any>] User alice authenticated
    `)
    await server.connect({ cut }).play(String.raw`
      S: * OK <any>
      C: a1 LOGIN {5+}\r\nalice {6+}\r\nsecret
      S: a1 OK [CAPABILITY <any>] User alice authenticated
    `)
  })
})

describe('LOGIN', () => {
  test('one text for every refusal, and the session goes on', async () => {
    await using server = await ImapFixture.make()
    await server.connect().play(`
      S: * OK <any>
      C: a1 LOGIN alice wrong
      S: a1 NO [AUTHENTICATIONFAILED] LOGIN failed
      C: a2 LOGIN nobody secret
      S: a2 NO [AUTHENTICATIONFAILED] LOGIN failed
      C: a3 LOGIN alice secret
      S: a3 OK <any>
    `)
  })
  test('in clear, where passwords are not taken, the code says what to do (RFC 5530 §3)', async () => {
    await using server = await ImapFixture.make({ plaintext: false })
    await server.connect({ tls: 'offered' }).play(`
      S: * OK [CAPABILITY <any> STARTTLS LOGINDISABLED] <any>
      C: a1 LOGIN alice secret
      S: a1 NO [PRIVACYREQUIRED] LOGIN failed
    `)
  })
  test('an outage is not a wrong password', async () => {
    await using server = await ImapFixture.make({ gate: gate({ password: () => Promise.reject(new MailError('unavailable', 'ldap is down')) }) })
    await server.connect().play(`
      S: * OK <any>
      C: a1 LOGIN alice secret
      S: a1 NO [UNAVAILABLE] LOGIN failed: not available now, try again later
    `)
  })
  test('a referral and alerts are passed on (RFC 2221)', async () => {
    await using server = await ImapFixture.make({
      gate: gate({
        password: (user) =>
          Promise.resolve(
            user === 'bob'
              ? { kind: 'out', referral: 'imap://bob@other.example.org/' }
              : { kind: 'in', user: { name: user, kind: 'account', facts: {} }, authcid: user, alerts: ['Password expires in 3 day(s)'] },
          ),
      }),
    })
    await server.connect().play(`
      S: * OK <any>
      C: a1 LOGIN bob secret
      S: a1 NO [REFERRAL imap://bob@other.example.org/] Try referral URL
      C: a2 LOGIN alice secret
      S: * OK [ALERT] Password expires in 3 day(s)
      S: a2 OK <any> User alice authenticated
    `)
  })
  test('wildcards are no atom characters; arguments are counted', async () => {
    await using server = await ImapFixture.make()
    await server.connect().play(`
      S: * OK <any>
      C: a1 LOGIN ali*ce secret
      S: a1 BAD Missing or invalid argument to LOGIN
      C: a2 LOGIN alice
      S: a2 BAD Missing or invalid argument to LOGIN
      C: a3 LOGIN alice secret more
      S: a3 BAD Argument given to LOGIN when none expected
      C: a4 LOGIN
      S: a4 BAD Missing or invalid argument to LOGIN
    `)
  })
  test('commands sent behind LOGIN run after it, in the half that serves', async () => {
    await using server = await ImapFixture.make()
    const client = server.connect()
    await client.line()
    await client.send('a1 LOGIN alice secret\r\na2 SELECT INBOX\r\na3 NOOP\r\n')
    await client.play(`
      S: a1 OK <any>
      S: * 0 EXISTS
      S: * 0 RECENT
      S: * OK [UIDVALIDITY <any>] UID validity status
      S: * OK [UIDNEXT 1] Predicted next UID
      S: * FLAGS <any>
      S: * OK [PERMANENTFLAGS <any>
      S: * OK [HIGHESTMODSEQ <any>] <any>
      S: a2 OK [READ-WRITE] SELECT completed
      S: a3 OK NOOP completed
    `)
  })
  test('is gone after the login', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(`
      C: a1 LOGIN alice secret
      S: a1 BAD Command unrecognized: LOGIN
      C: a2 STARTTLS
      S: a2 BAD Command unrecognized: STARTTLS
      C: a3 AUTHENTICATE PLAIN
      S: a3 BAD Command unrecognized: AUTHENTICATE
    `)
  })
})

describe('AUTHENTICATE (RFC 3501 §6.2.2)', () => {
  const alicePlain = Buffer.from('\0alice\0secret').toString('base64')
  test('PLAIN, asked for and with an initial response (RFC 4959)', async () => {
    await using server = await ImapFixture.make()
    await server.connect({ cut: 'octets' }).play(`
      S: * OK [CAPABILITY <any> AUTH=PLAIN AUTH=LOGIN] <any>
      C: a1 AUTHENTICATE PLAIN
      S: +${' '}
      C: ${alicePlain}
      S: a1 OK [CAPABILITY <any>] User alice authenticated
    `)
    await server.connect().play(`
      S: * OK <any>
      C: a1 authenticate plain ${alicePlain}
      S: a1 OK [CAPABILITY <any>] User alice authenticated
    `)
  })
  test('LOGIN', async () => {
    await using server = await ImapFixture.make()
    await server.connect().play(`
      S: * OK <any>
      C: a1 AUTHENTICATE LOGIN
      S: + VXNlciBOYW1lAA==
      C: YWxpY2U=
      S: + UGFzc3dvcmQA
      C: c2VjcmV0
      S: a1 OK <any> User alice authenticated
    `)
  })
  test('is cancelled by *, and an answer that is no base64 breaks it off: both BAD', async () => {
    await using server = await ImapFixture.make()
    await server.connect().play(`
      S: * OK <any>
      C: a1 AUTHENTICATE PLAIN
      S: +${' '}
      C: *
      S: a1 BAD AUTHENTICATE PLAIN cancelled
      C: a2 AUTHENTICATE PLAIN
      S: +${' '}
      C: not base64
      S: a2 BAD Missing or invalid argument to AUTHENTICATE PLAIN
      C: a3 AUTHENTICATE PLAIN abc
      S: a3 BAD Missing or invalid argument to AUTHENTICATE
      C: a4 LOGIN alice secret
      S: a4 OK <any>
    `)
  })
  test('a mechanism that cannot be used now is not told from one that does not exist', async () => {
    await using server = await ImapFixture.make({ plaintext: false })
    await server.connect().play(`
      S: * OK <any>
      C: a1 AUTHENTICATE PLAIN
      S: a1 BAD Command unrecognized: AUTHENTICATE PLAIN
      C: a2 AUTHENTICATE X-NOTHING
      S: a2 BAD Command unrecognized: AUTHENTICATE X-NOTHING
    `)
  })
  test('refuses wrong words and an overlong answer', async () => {
    await using server = await ImapFixture.make()
    const client = server.connect()
    await client.play(`
      S: * OK <any>
      C: a1 AUTHENTICATE PLAIN
      S: +${' '}
      C: ${Buffer.from('\0alice\0wrong').toString('base64')}
      S: a1 NO [AUTHENTICATIONFAILED] AUTHENTICATE PLAIN failed
      C: a2 AUTHENTICATE PLAIN
      S: +${' '}
      C: ${'A'.repeat(8196)}
      S: a2 BAD Missing or invalid argument to AUTHENTICATE
      C: a3 NOOP
      S: a3 OK NOOP completed
    `)
    expect(server.logged.some((line) => line.includes('secret'))).toBe(false)
  })
})

describe('STARTTLS (RFC 3501 §6.2.1)', () => {
  test('input slipped in before the layer is never run as a command', async () => {
    await using server = await ImapFixture.make({ plaintext: false })
    const client = server.connect({ tls: 'offered' })
    await client.line()
    await client.send('a1 STARTTLS\r\na2 LOGIN alice secret\r\n')
    const lines = [await client.line(), await client.unread()]
    expect(lines).toEqual(['a1 OK STARTTLS completed', ''])
  })
  test('without a certificate, and twice', async () => {
    await using server = await ImapFixture.make()
    await server.connect().play(`
      S: * OK <any>
      C: a1 STARTTLS
      S: a1 NO This server does not support TLS
      C: a2 STARTTLS now
      S: a2 BAD Argument given to STARTTLS when none expected
    `)
    await server.connect({ tls: 'on' }).play(`
      S: * OK <any>
      C: a1 STARTTLS
      S: a1 NO Already in an SSL session
    `)
  })
})
