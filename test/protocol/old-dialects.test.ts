import { describe, expect, test } from 'vitest'
import { ImapFixture } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'
import { alice } from '../support/mail.js'

describe('IMAP2bis', () => {
  test('FIND tells mailboxes, of one level, and the subscribed ones', async () => {
    await using server = await ImapFixture.make()
    for (const name of ['a', 'a/b', 'list']) await fill(server, name, [])
    const client = await server.session()
    await client.play(`
      C: a1 FIND ALL.MAILBOXES *
      S: * MAILBOX INBOX
      S: * MAILBOX a
      S: * MAILBOX list
      S: a1 OK FIND ALL.MAILBOXES completed
      C: a2 find all.mailboxes a/*
      S: * MAILBOX a/b
      S: a2 OK FIND ALL.MAILBOXES completed
      C: a3 FIND MAILBOXES *
      S: a3 OK FIND MAILBOXES completed
      C: a4 SUBSCRIBE MAILBOX a/b
      S: a4 OK SUBSCRIBE completed
      C: a5 FIND MAILBOXES *
      S: * MAILBOX a/b
      S: a5 OK FIND MAILBOXES completed
      C: a6 UNSUBSCRIBE MAILBOX a/b
      S: a6 OK UNSUBSCRIBE completed
      C: a7 FIND MAILBOXES *
      S: a7 OK FIND MAILBOXES completed
    `)
  })
  test('FIND refuses what is not of its dialect', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(`
      C: a1 FIND ALL.MAILBOXES a%
      S: a1 NO [CANNOT] IMAP2 ? and % wildcards not supported: FIND ALL.MAILBOXES
      C: a2 FIND MAILBOXES a?
      S: a2 NO [CANNOT] IMAP2 ? and % wildcards not supported: FIND MAILBOXES
      C: a3 FIND BBOARDS *
      S: a3 BAD Command unrecognized: FIND BBOARDS
      C: a4 FIND
      S: a4 BAD Missing or invalid argument to FIND
      C: a5 FIND MAILBOXES
      S: a5 BAD Missing or invalid argument to FIND
      C: a6 FIND MAILBOXES a b
      S: a6 BAD Argument given to FIND when none expected
      C: a7 FIND ALL.MAILBOXES ***********
      S: a7 NO [LIMIT] Excessive wildcards in FIND ALL.MAILBOXES
    `)
  })
  test('an anonymous user has no subscriptions to find', async () => {
    await using server = await ImapFixture.make()
    const client = server.preauthenticated({ ...alice, kind: 'anonymous' })
    await client.line()
    await client.play(`
      C: a1 FIND MAILBOXES *
      S: a1 BAD Command unrecognized: FIND MAILBOXES
      C: a2 FIND ALL.MAILBOXES #shared/*
      S: a2 NO [NOPERM] Anonymous may not FIND ALL.MAILBOXES this name
    `)
  })
  test('BBOARD examines a public mailbox', async () => {
    await using server = await ImapFixture.make()
    await fill(server, '#public/news', notes('one'))
    const client = await server.session()
    for (const [tag, name] of [['a1', 'news'], ['a2', '/news']] as const) {
      const lines = await client.command(tag, `BBOARD ${name}`)
      expect([lines[0], lines.at(-1)]).toEqual(['* 1 EXISTS', `${tag} OK [READ-ONLY] BBOARD completed`])
    }
    await client.play(`
      C: a3 STORE 1 +FLAGS (\\Seen)
      S: a3 NO [NOPERM] STORE failed: mailbox is read-only
      C: a4 BBOARD nowhere
      S: a4 NO [NONEXISTENT] BBOARD failed: Can't open mailbox #public/nowhere: no such mailbox
      C: a5 BBOARD
      S: a5 BAD Missing or invalid argument to BBOARD
    `)
  })
  test('all of it can be left out: MAILBOX is a name then', async () => {
    await using server = await ImapFixture.make({ without: ['imap2bis'] })
    await fill(server, 'MAILBOX', [])
    const client = await server.session()
    await client.play(`
      C: a1 FIND ALL.MAILBOXES *
      S: a1 BAD Command unrecognized: FIND
      C: a2 BBOARD x
      S: a2 BAD Command unrecognized: BBOARD
      C: a3 SUBSCRIBE MAILBOX x
      S: a3 BAD Argument given to SUBSCRIBE when none expected
      C: a4 SUBSCRIBE MAILBOX
      S: a4 OK SUBSCRIBE completed
    `)
  })
  test.each(['PARTIAL 1 RFC822 1 10', 'RFC822 1', 'FETCH.ALL', 'SET.SEQUENCE', 'EXPUNGE.ALL', 'VERSION'])('%s never was, or is no longer', async (command) => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    expect(await client.command('a', command)).toEqual([`a BAD Command unrecognized: ${command.split(' ', 1)[0]}`])
  })
})

describe('MAILBOX-REFERRALS (RFC 2193)', () => {
  test('RLIST and RLSUB answer as LIST and LSUB do', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'a', [])
    const client = await server.session()
    await client.play(String.raw`
      C: a1 RLIST "" a
      S: * LIST (<any>) "/" a
      S: a1 OK RLIST completed
      C: a2 SUBSCRIBE a
      S: a2 OK SUBSCRIBE completed
      C: a3 RLSUB "" *
      S: * LSUB () "/" a
      S: a3 OK RLSUB completed
      C: a4 RLIST ""
      S: a4 BAD Missing or invalid argument to RLIST
    `)
  })
  test('are there after the login, with their capability', async () => {
    await using server = await ImapFixture.make()
    const client = server.connect()
    await client.line()
    expect(await client.command('a', 'RLIST "" *')).toEqual(['a BAD Command unrecognized: RLIST'])
    expect((await client.command('b', 'LOGIN alice secret')).at(-1)).toContain(' MAILBOX-REFERRALS ')
  })
})
