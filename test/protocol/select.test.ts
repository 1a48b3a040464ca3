import { describe, test } from 'vitest'
import { SYSTEM, delegate, type MailboxSource, type MailLocation, type StoreLayer } from '../../core/api/index.js'
import { ImapFixture } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'
import { note } from '../support/mail.js'

describe('SELECT (RFC 3501 §6.3.1)', () => {
  test('tells everything in the order of the original', async () => {
    await using server = await ImapFixture.make({ without: ['condstore'] })
    await fill(server, 'INBOX', [note('one', { system: SYSTEM.seen }), note('two', { keywords: ['$Label1'] })])
    const client = await server.session()
    await client.play(String.raw`
      C: a1 SELECT INBOX
      S: * 2 EXISTS
      S: * 2 RECENT
      S: * OK [UIDVALIDITY <any>] UID validity status
      S: * OK [UIDNEXT 3] Predicted next UID
      S: * FLAGS ($Label1 \Answered \Flagged \Deleted \Draft \Seen)
      S: * OK [PERMANENTFLAGS ($Label1 \* \Answered \Flagged \Deleted \Draft \Seen)] Permanent flags
      S: * OK [UNSEEN 2] first unseen message in INBOX
      S: a1 OK [READ-WRITE] SELECT completed
    `)
  })
  test('an empty mailbox has no first unseen message; any case of INBOX is INBOX', async () => {
    await using server = await ImapFixture.make({ without: ['condstore'] })
    const client = await server.session()
    await client.play(String.raw`
      C: a1 select "inbox"
      S: * 0 EXISTS
      S: * 0 RECENT
      S: * OK [UIDVALIDITY <any>] UID validity status
      S: * OK [UIDNEXT 1] Predicted next UID
      S: * FLAGS (\Answered \Flagged \Deleted \Draft \Seen)
      S: * OK [PERMANENTFLAGS (\* \Answered \Flagged \Deleted \Draft \Seen)] Permanent flags
      S: a1 OK [READ-WRITE] SELECT completed
    `)
  })
  test('a mailbox whose uids do not persist is told so (RFC 4315 §3, UIDNOTSTICKY)', async () => {
    const forgetful: StoreLayer = {
      wrap: async (inner) =>
        delegate(inner, [], {
          async find(at: MailLocation, signal: AbortSignal) {
            const found = await inner.find(at, signal)
            if (found === undefined) return undefined
            const open = async (s: AbortSignal): Promise<MailboxSource> => {
              const source = await found.open(s)
              return delegate(source, [], { traits: { ...source.traits, uidsPersist: false } })
            }
            return { ...found, open }
          },
        }),
    }
    await using server = await ImapFixture.make({ without: ['condstore'], mail: { layers: [forgetful] } })
    const client = await server.session()
    await client.play(String.raw`
      C: a1 SELECT INBOX
      S: * 0 EXISTS
      S: * 0 RECENT
      S: * OK [UIDVALIDITY <any>] UID validity status
      S: * OK [UIDNEXT 1] Predicted next UID
      S: * NO [UIDNOTSTICKY] Non-permanent unique identifiers: INBOX
      S: * FLAGS (\Answered \Flagged \Deleted \Draft \Seen)
      S: * OK [PERMANENTFLAGS (\* \Answered \Flagged \Deleted \Draft \Seen)] Permanent flags
      S: a1 OK [READ-WRITE] SELECT completed
    `)
  })
  test('a mailbox that cannot be opened leaves none selected', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.play(`
      C: a1 SELECT nowhere
      S: a1 NO [NONEXISTENT] SELECT failed: Can't open mailbox nowhere: no such mailbox
      C: a2 FETCH 1 FLAGS
      S: a2 BAD Command unrecognized: FETCH
      C: a3 SELECT
      S: a3 BAD Missing or invalid argument to SELECT
      C: a4 SELECT a b
      S: a4 BAD Argument given to SELECT when none expected
      C: a5 SELECT &bad
      S: a5 NO [CANNOT] SELECT failed: unterminated modified UTF-7 name
      C: a6 SELECT (a)
      S: a6 BAD Missing or invalid argument to SELECT
    `)
  })
  test('names are modified UTF-7 (RFC 3501 §5.1.3)', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'Entwürfe', notes('one'))
    const client = await server.session()
    await client.play(String.raw`
      C: a1 STATUS Entw&APw-rfe (MESSAGES)
      S: * STATUS Entw&APw-rfe (MESSAGES 1)
      S: a1 OK STATUS completed
      C: a2 SELECT fehl&APw-r
      S: a2 NO [NONEXISTENT] SELECT failed: Can't open mailbox fehl&APw-r: no such mailbox
    `)
  })
})

describe('EXAMINE (RFC 3501 §6.3.2)', () => {
  test('changes nothing: no \\Seen, no recent taken, no STORE, no EXPUNGE', async () => {
    await using server = await ImapFixture.make({ without: ['condstore'] })
    await fill(server, 'INBOX', notes('one'))
    const client = await server.session()
    await client.play(String.raw`
      C: a1 EXAMINE INBOX
      S: * 1 EXISTS
      S: * 1 RECENT
      S: * OK [UIDVALIDITY <any>] UID validity status
      S: * OK [UIDNEXT 2] Predicted next UID
      S: * FLAGS (\Answered \Flagged \Deleted \Draft \Seen)
      S: * OK [PERMANENTFLAGS ()] Permanent flags
      S: * OK [UNSEEN 1] first unseen message in INBOX
      S: a1 OK [READ-ONLY] EXAMINE completed
      C: a2 FETCH 1 (BODY[TEXT])
      S: * 1 FETCH (BODY[TEXT] {5}\r\none\r\n)
      S: a2 OK FETCH completed
      C: a3 STORE 1 +FLAGS (\Deleted)
      S: a3 NO [NOPERM] STORE failed: mailbox is read-only
      C: a4 EXPUNGE
      S: a4 NO [NOPERM] EXPUNGE failed: mailbox is read-only
      C: a5 CLOSE
      S: a5 OK CLOSE completed
      C: a6 SELECT INBOX
      S: * 1 EXISTS
      S: * 1 RECENT
      S: <any>
      S: <any>
      S: <any>
      S: <any>
      S: * OK [UNSEEN 1] first unseen message in INBOX
      S: a6 OK [READ-WRITE] SELECT completed
    `)
  })
})

describe('CLOSE and CHECK (RFC 3501 §6.4.1 and §6.4.2)', () => {
  test('CLOSE removes what is marked, without a word', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', notes('one', 'two', 'three'))
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.play(String.raw`
      C: a1 STORE 1,3 +FLAGS.SILENT (\Deleted)
      S: a1 OK STORE completed
      C: a2 CHECK
      S: a2 OK CHECK completed
      C: a3 CLOSE
      S: a3 OK CLOSE completed
      C: a4 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 1)
      S: a4 OK STATUS completed
      C: a5 CLOSE
      S: a5 BAD Command unrecognized: CLOSE
    `)
  })
  test('SELECT of another mailbox and UNSELECT remove nothing', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', notes('one'))
    await fill(server, 'other', [])
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.command('d', String.raw`STORE 1 +FLAGS.SILENT (\Deleted)`)
    await client.command('o', 'SELECT other')
    await client.play(`
      C: a1 UNSELECT
      S: a1 OK UNSELECT completed
      C: a2 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 1)
      S: a2 OK STATUS completed
    `)
  })
})
