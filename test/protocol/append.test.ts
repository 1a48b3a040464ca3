import { describe, expect, test } from 'vitest'
import { MailError } from '../../core/api/index.js'
import { CUTS } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'

describe.each(CUTS)('APPEND (RFC 3501 §6.3.11), input cut: %s', (cut) => {
  test('with flags and date, and what it made is there', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session('alice', { cut })
    await client.play(String.raw`
      C: a1 APPEND INBOX (\Seen $Work) " 7-Feb-1994 21:52:25 -0800" {14}
      S: + Ready for argument
      C> A: b\r\n\r\ntext\r\n
      C:
      S: a1 OK [APPENDUID <any> 1] APPEND completed
      C: a2 APPEND "INBOX" {8+}\r\nA: c\r\n\r\n
      S: a2 OK [APPENDUID <any> 2] APPEND completed
      C: a3 EXAMINE INBOX
      S: * 2 EXISTS
      S: * 2 RECENT
      S: <any>
      S: <any>
      S: <any>
      S: <any>
      S: <any>
      S: <any>
      S: a3 OK [READ-ONLY] EXAMINE completed
      C: a4 FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])
      S: * 1 FETCH (FLAGS (\Recent \Seen $Work) INTERNALDATE " 7-Feb-1994 21:52:25 -0800" BODY[] {14}\r\nA: b\r\n\r\ntext\r\n)
      S: a4 OK FETCH completed
    `)
  })
  test('the name may be a literal too', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session('alice', { cut })
    await client.play(String.raw`
      C: a1 APPEND {5}
      S: + Ready for argument
      C: INBOX {8}
      S: + Ready for argument
      C> A: b\r\n\r\n
      C:
      S: a1 OK [APPENDUID <any> 1] APPEND completed
    `)
  })
})

describe('APPEND', () => {
  test('to a missing mailbox: refused before the message is sent (TRYCREATE)', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(String.raw`
      C: a1 APPEND nowhere {8}
      S: * OK [TRYCREATE] Must create mailbox before append
      S: a1 NO [TRYCREATE] APPEND failed: no such mailbox
      C: a2 APPEND nowhere {8+}\r\nA: b\r\n\r\n
      S: * OK [TRYCREATE] Must create mailbox before append
      S: a2 NO [TRYCREATE] APPEND failed: no such mailbox
      C: a3 NOOP
      S: a3 OK NOOP completed
    `)
  })
  test('junk behind the message: BAD, and nothing was appended', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(String.raw`
      C: a1 APPEND INBOX {8+}\r\nA: b\r\n\r\n junk
      S: a1 BAD Argument given to APPEND when none expected
      C: a2 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 0)
      S: a2 OK STATUS completed
    `)
  })
  test('refusals', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(String.raw`
      C: a1 APPEND INBOX {0}
      S: a1 NO Empty message to APPEND
      C: a2 APPEND INBOX {1073741825}
      S: a2 NO [TOOBIG] Excessively large message to APPEND
      C: a3 APPEND INBOX
      S: a3 BAD Missing or invalid argument to APPEND
      C: a4 APPEND INBOX "text"
      S: a4 BAD Missing or invalid argument to APPEND
      C: a5 APPEND INBOX (\Seen)
      S: a5 BAD Missing literal in APPEND
      C: a6 APPEND INBOX (\Seen "1-Jan-2026 00:00:00 +0000" {3}
      S: a6 BAD Missing or invalid argument to APPEND
      C: a7 APPEND INBOX "32-Jan-2026 00:00:00 +0000" {3}
      S: a7 BAD Missing or invalid argument to APPEND
      C: a8 APPEND INBOX word {3}
      S: a8 BAD Missing literal in APPEND
      C: a9 NOOP
      S: a9 OK NOOP completed
    `)
  })
  test('into the selected mailbox, the news come with the answer', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.play(String.raw`
      C: a1 APPEND INBOX {8+}\r\nA: b\r\n\r\n
      S: * 1 EXISTS
      S: * 1 RECENT
      S: a1 OK [APPENDUID <any> 1] APPEND completed
    `)
  })
  test('no room: NO [OVERQUOTA], and the rest of the message is passed over', async () => {
    const full = { reserve: () => Promise.reject(new MailError('over-quota', 'full')) }
    await using server = await ImapFixture.make({ mail: { policies: [full] } })
    const client = await server.session()
    await client.play(String.raw`
      C: a1 APPEND INBOX {8+}\r\nA: b\r\n\r\n
      S: a1 NO [OVERQUOTA] APPEND failed: no room for more mail
      C: a2 NOOP
      S: a2 OK NOOP completed
    `)
  })
  test('the link ends within the message: nothing is appended', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.send('a1 APPEND INBOX {100+}\r\nA: b\r\n')
    await client.end()
    const other = await server.session()
    expect(await other.command('a1', 'STATUS INBOX (MESSAGES)')).toEqual(['* STATUS INBOX (MESSAGES 0)', 'a1 OK STATUS completed'])
    expect(server.logged).toContain('info Command stream end of file, while reading literal user=alice host=[127.0.0.1] session=s1')
  })
})
