import { describe, expect, test } from 'vitest'
import { settle } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'
import { deliverNotes } from '../support/mail.js'
import { Pop3Fixture } from '../support/pop3.js'

const MINUTE_MS = 60_000

/** One row per place where the FAQ quotes other words than the last release has. */
const refusals = [
  { name: 'a refused login', half: 'before', said: 'LOGIN alice wrong', faq: 'NO [AUTHENTICATIONFAILED] LOGIN failed', late: 'NO [AUTHENTICATIONFAILED] Invalid login credentials' },
  { name: 'a refused exchange', half: 'before', said: 'AUTHENTICATE PLAIN AGFsaWNlAHdyb25n', faq: 'NO [AUTHENTICATIONFAILED] AUTHENTICATE PLAIN failed', late: 'NO [AUTHENTICATIONFAILED] Invalid authentication credentials' },
  { name: 'a name that leads nowhere', half: 'after', said: 'SELECT None', faq: "NO [NONEXISTENT] SELECT failed: Can't open mailbox None: no such mailbox", late: "NO [NONEXISTENT] Can't open mailbox None: no such mailbox" },
  { name: 'a name that is none', half: 'after', said: 'SELECT "a&b"', faq: 'NO [CANNOT] SELECT failed: unterminated modified UTF-7 name', late: 'NO [CANNOT] unterminated modified UTF-7 name' },
  { name: 'a limit, whose text never named the command', half: 'after', said: 'LIST "" *%*%*%*%*%*', faq: 'NO [LIMIT] Excessive wildcards in LIST', late: 'NO [LIMIT] Excessive wildcards in LIST' },
  { name: 'a missing target, which names it in both', half: 'after', said: 'MOVE 1 None', faq: 'NO [TRYCREATE] MOVE failed: no such mailbox', late: 'NO [TRYCREATE] MOVE failed: no such mailbox' },
] as const

describe.each(['faq', 'late'] as const)('in the dialect "%s"', (dialect) => {
  test.each(refusals)('$name', async ({ half, said, ...texts }) => {
    await using server = await ImapFixture.make({ dialect })
    const client = half === 'before' ? server.connect() : await server.session()
    if (half === 'before') await client.line()
    else {
      await deliverNotes(await server.access(), 'INBOX', 'one')
      await client.command('s', 'SELECT INBOX')
    }
    expect(await client.command('a1', said)).toEqual([`a1 ${texts[dialect]}`])
  })
  test('an exchange that the client gives up is BAD in any words (RFC 3501 §6.2.2)', async () => {
    await using server = await ImapFixture.make({ dialect })
    const client = server.connect()
    await client.line()
    await client.play(String.raw`
      C: a1 AUTHENTICATE PLAIN
      S: + 
      C: *
      S: a1 BAD ${dialect === 'faq' ? 'AUTHENTICATE PLAIN cancelled' : 'cancelled by user'}
    `)
  })
  test('who says nothing for half an hour, also in IDLE, is sent away', async () => {
    const goodbye = dialect === 'faq' ? '* BYE Autologout; idle for too long' : '* BYE Autologout (idle for too long)'
    await using server = await ImapFixture.make({ dialect })
    const client = await server.session()
    await settle()
    server.clock.advance(30 * MINUTE_MS)
    expect(await client.line()).toBe(goodbye)
    expect(server.logged.at(-1)).toBe('info Autologout user=alice host=[127.0.0.1] session=s1')
    const idler = await server.session()
    await idler.send('i IDLE\r\n')
    expect(await idler.line()).toBe('+ Waiting for DONE')
    await settle()
    server.clock.advance(30 * MINUTE_MS)
    expect(await idler.line()).toBe(goodbye)
  })
  test('whoever goes without a word is a line of the log, over IMAP and over POP3', async () => {
    const word = dialect === 'faq' ? 'Command stream end of file' : 'Unexpected client disconnect'
    await using server = await ImapFixture.make({ dialect })
    const client = await server.session()
    await client.end()
    await settle()
    expect(server.logged.at(-1)).toBe(`info ${word}, while reading line user=alice host=[127.0.0.1] session=s1`)
    await using pop = await Pop3Fixture.make({ dialect })
    const reader = await pop.session()
    await reader.end()
    await settle()
    expect(pop.logged.at(-1)).toMatch(`info ${word}, while reading line user=alice host=[127.0.0.1]`)
  })
})
