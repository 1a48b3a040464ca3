import { describe, test } from 'vitest'
import { ImapFixture } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'

describe('LIST and LSUB (RFC 3501 §6.3.8 and §6.3.9)', () => {
  test('wildcards, references, roots', async () => {
    await using server = await ImapFixture.make()
    for (const name of ['a', 'a/b', 'a/b/c', 'd']) await fill(server, name, [])
    const client = await server.session()
    await client.play(String.raw`
      C: a1 LIST "" %
      S: * LIST (<any>) <any> INBOX
      S: * LIST (<any>\HasChildren) "/" a
      S: * LIST (<any>\HasNoChildren) "/" d
      S: a1 OK LIST completed
      C: a2 LIST "" "a/*"
      S: * LIST (<any>) "/" a/b
      S: * LIST (<any>) "/" a/b/c
      S: a2 OK LIST completed
      C: a3 LIST a/ %
      S: * LIST (<any>) "/" a/b
      S: a3 OK LIST completed
      C: a4 LIST "" nothing
      S: a4 OK LIST completed
      C: a5 LIST "" ""
      S: * LIST (\NoSelect<any>) "/" ""
      S: a5 OK LIST completed
      C: a6 LIST "" inBox
      S: * LIST (<any>) <any> INBOX
      S: a6 OK LIST completed
    `)
  })
  test('attributes of children belong to an extension', async () => {
    await using server = await ImapFixture.make({ without: ['children'] })
    await fill(server, 'a', [])
    const client = await server.session()
    await client.play(String.raw`
      C: a1 LIST "" a
      S: * LIST () "/" a
      S: a1 OK LIST completed
    `)
  })
  test('bounds and mistakes', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(`
      C: a1 LIST "" "%%%%%%%%%%"
      S: * LIST <any> INBOX
      S: a1 OK LIST completed
      C: a2 LIST "" "%%%%%%%%%%%"
      S: a2 NO [LIMIT] Excessive wildcards in LIST
      C: a3 LSUB "" ${'x'.repeat(257)}
      S: a3 NO Invalid LSUB pattern specification: ${'x'.repeat(80)}
      C: a4 LIST ${'x'.repeat(257)} %
      S: a4 NO Invalid LIST reference specification: ${'x'.repeat(80)}
      C: a5 LIST ""
      S: a5 BAD Missing or invalid argument to LIST
      C: a6 LIST "" % more
      S: a6 BAD Argument given to LIST when none expected
    `)
  })
  test('subscriptions stand on their own; % reports what is above them', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'a', [])
    await fill(server, 'a/b', [])
    const client = await server.session()
    await client.play(String.raw`
      C: a1 SUBSCRIBE a/b
      S: a1 OK SUBSCRIBE completed
      C: a2 SUBSCRIBE MAILBOX inbox
      S: a2 OK SUBSCRIBE completed
      C: a3 LSUB "" *
      S: * LSUB (<any>) "/" a/b
      S: * LSUB (<any>) "/" INBOX
      S: a3 OK LSUB completed
      C: a4 LSUB "" %
      S: * LSUB (\NoSelect) "/" a
      S: * LSUB () "/" INBOX
      S: a4 OK LSUB completed
      C: a5 UNSUBSCRIBE a/b
      S: a5 OK UNSUBSCRIBE completed
      C: a6 LSUB "" a*
      S: a6 OK LSUB completed
    `)
  })
})

describe('STATUS (RFC 3501 §6.3.10)', () => {
  test('answers what is asked, in one order', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'box', notes('one', 'two'))
    const client = await server.session()
    await client.play(`
      C: a1 STATUS box (uidnext messages UNSEEN RECENT)
      S: * STATUS box (MESSAGES 2 RECENT 2 UNSEEN 2 UIDNEXT 3)
      S: a1 OK STATUS completed
      C: a2 STATUS nowhere (MESSAGES)
      S: a2 NO [NONEXISTENT] STATUS failed: Can't get status of mailbox nowhere: no such mailbox
      C: a3 STATUS box (MESSAGES FROB)
      S: a3 BAD Missing or invalid argument to STATUS
      C: a4 STATUS box ()
      S: a4 BAD Missing or invalid argument to STATUS
      C: a5 STATUS box
      S: a5 BAD Missing or invalid argument to STATUS
      C: a6 STATUS box (MESSAGES) x
      S: a6 BAD Argument given to STATUS when none expected
    `)
  })
  test('of the selected mailbox: news first, then live numbers; and a note that it is a client\'s mistake', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', notes('one'))
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await fill(server, 'INBOX', notes('two'))
    await client.play(`
      C: a1 STATUS INBOX (MESSAGES RECENT UNSEEN)
      S: * NO CLIENT BUG DETECTED: STATUS on selected mailbox: INBOX
      S: * 2 EXISTS
      S: * 2 RECENT
      S: * STATUS INBOX (MESSAGES 2 RECENT 2 UNSEEN 2)
      S: a1 OK [CLIENTBUG] STATUS completed
    `)
  })
  test('clients that make mistakes are borne with where a workaround says so', async () => {
    await using server = await ImapFixture.make({ tweaks: { warnUnknownStatusItem: true, noteStatusOnSelected: false } })
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.play(`
      C: a1 STATUS INBOX (FROB MESSAGES)
      S: * NO Unknown status flag FROB
      S: * STATUS INBOX (MESSAGES 0)
      S: a1 OK [CLIENTBUG] STATUS completed
    `)
  })
})

describe('CREATE, DELETE, RENAME (RFC 3501 §6.3.3 to §6.3.5)', () => {
  test('make, move and remove mailboxes', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.play(String.raw`
      C: a1 CREATE work
      S: a1 OK CREATE completed
      C: a2 CREATE work
      S: a2 NO [ALREADYEXISTS] CREATE failed: Can't create mailbox work: mailbox already exists
      C: a3 CREATE inbox
      S: a3 NO [ALREADYEXISTS] CREATE failed: Can't create INBOX
      C: a4 CREATE Entw&APw-rfe
      S: a4 OK CREATE completed
      C: a5 CREATE &bad
      S: a5 NO [CANNOT] CREATE failed: Can't create unterminated modified UTF-7 name
      C: a6 RENAME work archive
      S: a6 OK RENAME completed
      C: a7 RENAME work archive2
      S: a7 NO [NONEXISTENT] RENAME failed: Can't rename mailbox work: no such mailbox
      C: a8 RENAME archive Entw&APw-rfe
      S: a8 NO [ALREADYEXISTS] RENAME failed: Can't rename archive: mailbox Entw&APw-rfe already exists
      C: a9 DELETE archive
      S: a9 OK DELETE completed
      C: b1 DELETE archive
      S: b1 NO [NONEXISTENT] DELETE failed: Can't delete mailbox archive: no such mailbox
      C: b2 DELETE INBOX
      S: b2 NO [CANNOT] DELETE failed: Can't delete INBOX
      C: b3 CREATE
      S: b3 BAD Missing or invalid argument to CREATE
      C: b4 RENAME a
      S: b4 BAD Missing or invalid argument to RENAME
      C: b5 DELETE a b
      S: b5 BAD Argument given to DELETE when none expected
    `)
  })
  test('not the selected mailbox', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'work', [])
    const client = await server.session()
    await client.command('s', 'SELECT work')
    await client.play(`
      C: a1 DELETE work
      S: a1 NO [INUSE] DELETE failed: Can not DELETE the selected mailbox
      C: a2 RENAME work other
      S: a2 NO [INUSE] RENAME failed: Can not RENAME the selected mailbox
    `)
  })
  test('renaming INBOX moves its messages away and leaves it empty', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', notes('one', 'two'))
    const client = await server.session()
    await client.play(`
      C: a1 RENAME INBOX old
      S: a1 OK RENAME completed
      C: a2 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 0)
      S: a2 OK STATUS completed
      C: a3 STATUS old (MESSAGES)
      S: * STATUS old (MESSAGES 2)
      S: a3 OK STATUS completed
    `)
  })
})
