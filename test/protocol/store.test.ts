import { describe, expect, test } from 'vitest'
import { sealStoreTarget, uids } from '../../core/api/index.js'
import { ImapFixture } from '../support/imap.js'
import { fill, notes } from '../support/imap-scenes.js'

async function selected(...subjects: readonly string[]) {
  const server = await ImapFixture.make()
  await fill(server, 'INBOX', notes(...subjects))
  const client = await server.session()
  await client.command('s', 'SELECT INBOX')
  return { server, client, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

describe('STORE (RFC 3501 §6.4.6)', () => {
  test('replaces, adds and removes; every named message is answered, changed or not', async () => {
    await using s = await selected('one', 'two')
    await s.client.play(String.raw`
      C: a1 STORE 1 FLAGS (\Seen \Flagged)
      S: * 1 FETCH (FLAGS (\Recent \Seen \Flagged))
      S: a1 OK STORE completed
      C: a2 STORE 1:2 +FLAGS (\Seen)
      S: * 1 FETCH (FLAGS (\Recent \Seen \Flagged))
      S: * 2 FETCH (FLAGS (\Recent \Seen))
      S: a2 OK STORE completed
      C: a3 STORE 1 -FLAGS \Flagged \Draft
      S: * 1 FETCH (FLAGS (\Recent \Seen))
      S: a3 OK STORE completed
      C: a4 STORE 1:* FLAGS.SILENT ()
      S: a4 OK STORE completed
      C: a5 FETCH 1:2 FLAGS
      S: * 1 FETCH (FLAGS (\Recent))
      S: * 2 FETCH (FLAGS (\Recent))
      S: a5 OK FETCH completed
      C: a6 UID STORE 2 +FLAGS (\Answered)
      S: * 2 FETCH (UID 2 FLAGS (\Recent \Answered))
      S: a6 OK UID STORE completed
      C: a7 UID STORE 99 +FLAGS (\Answered)
      S: a7 OK UID STORE completed
    `)
  })
  test('a new keyword is announced before it is used; \\Recent cannot be set', async () => {
    await using s = await selected('one')
    await s.client.play(String.raw`
      C: a1 STORE 1 +FLAGS ($Work \Recent)
      S: * 1 FETCH (FLAGS (\Recent $Work))
      S: * FLAGS ($Work \Answered \Flagged \Deleted \Draft \Seen)
      S: * OK [PERMANENTFLAGS ($Work \* \Answered \Flagged \Deleted \Draft \Seen)] Permanent flags
      S: a1 OK STORE completed
    `)
  })
  test.each([
    ['STORE 1', 'Missing or invalid argument to STORE'],
    ['STORE 1 FLAGS', 'Bogus attribute list in STORE'],
    ['STORE 1 LABELS (a)', 'Bogus attribute list in STORE'],
    ['STORE 1 FLAGS (a', 'Bogus attribute list in STORE'],
    ['STORE 2 FLAGS (a)', 'Bogus sequence in STORE: Sequence out of range'],
    ['STORE x FLAGS (a)', 'Bogus sequence in STORE: Syntax error in sequence'],
    ['STORE 1 FLAGS (a) b', 'Argument given to STORE when none expected'],
  ])('%s is refused', async (command, text) => {
    await using s = await selected('one')
    expect(await s.client.command('a1', command)).toEqual([`a1 BAD ${text}`])
  })
})

describe('COPY (RFC 3501 §6.4.7)', () => {
  test('copies with flags and dates, and names the new uids (RFC 4315 §3)', async () => {
    await using s = await selected('one', 'two', 'three')
    await s.client.command('c', 'CREATE archive')
    await s.client.play(String.raw`
      C: a1 STORE 2 +FLAGS.SILENT (\Flagged)
      S: a1 OK STORE completed
      C: a2 COPY 2:3 archive
      S: a2 OK [COPYUID <any> 2:3 1:2] COPY completed
      C: a3 UID COPY 1,99 archive
      S: a3 OK [COPYUID <any> 1 3] UID COPY completed
      C: a4 UID COPY 99 archive
      S: a4 OK UID COPY completed
      C: a5 STATUS archive (MESSAGES UIDNEXT)
      S: * STATUS archive (MESSAGES 3 UIDNEXT 4)
      S: a5 OK STATUS completed
      C: a6 COPY 1 INBOX
      S: * 4 EXISTS
      S: * 4 RECENT
      S: a6 OK [COPYUID <any> 1 4] COPY completed
    `)
  })
  test('a missing mailbox asks for CREATE', async () => {
    await using s = await selected('one')
    await s.client.play(`
      C: a1 COPY 1 nowhere
      S: * OK [TRYCREATE] Must create mailbox before copy
      S: a1 NO [TRYCREATE] COPY failed: no such mailbox
      C: a2 COPY 2 INBOX
      S: a2 BAD Bogus sequence in COPY: Sequence out of range
      C: a3 COPY 1
      S: a3 BAD Missing or invalid argument to COPY
      C: a4 COPY 1 INBOX more
      S: a4 BAD Argument given to COPY when none expected
    `)
  })
  test('an empty mailbox has nothing to copy', async () => {
    await using s = await selected()
    await s.client.play(`
      C: a1 COPY 1 INBOX
      S: a1 NO Mailbox is empty
    `)
  })
})

describe('EXPUNGE (RFC 3501 §6.4.3, §7.4.1)', () => {
  test('each number is what it is after those before it have gone', async () => {
    await using s = await selected('1', '2', '3', '4', '5', '6', '7')
    await s.client.play(String.raw`
      C: a1 STORE 2:3,5,7 +FLAGS.SILENT (\Deleted)
      S: a1 OK STORE completed
      C: a2 EXPUNGE
      S: * 2 EXPUNGE
      S: * 2 EXPUNGE
      S: * 3 EXPUNGE
      S: * 4 EXPUNGE
      S: * 3 RECENT
      S: a2 OK EXPUNGE completed
      C: a3 FETCH 1:* UID
      S: * 1 FETCH (UID 1)
      S: * 2 FETCH (UID 4)
      S: * 3 FETCH (UID 6)
      S: a3 OK FETCH completed
      C: a4 EXPUNGE
      S: a4 OK EXPUNGE completed
      C: a5 UID EXPUNGE 4
      S: a5 OK UID EXPUNGE completed
      C: a6 STORE 1:* +FLAGS.SILENT (\Deleted)
      S: a6 OK STORE completed
      C: a7 UID EXPUNGE 4:5
      S: * 2 EXPUNGE
      S: * 2 RECENT
      S: a7 OK UID EXPUNGE completed
    `)
  })
})

test('an extension stores what is no flag under a name of its own (StoreTarget)', async () => {
  const labels: string[] = []
  const target = sealStoreTarget<string>({
    name: 'X-LABEL',
    parse(input) {
      input.space()
      return Buffer.from(input.astring()).toString()
    },
    run(label, rows, plan) {
      plan.answerItems.length = 0
      labels.push(`${label}: ${[...plan.view.uidsOf(rows).ranges].join(' ')}`)
      return Promise.resolve(uids.none)
    },
  })
  await using server = await ImapFixture.make({ more: [{ name: 'labels', plugin: 'test-labels', about: { requires: [], capabilities: () => ['X-LABELS'] }, made: { storeTargets: [target] } }] })
  await fill(server, 'INBOX', notes('one', 'two', 'three'))
  const client = await server.session()
  await client.command('s', 'SELECT INBOX')
  await client.play(String.raw`
    C: a1 STORE 2:3 X-LABEL "to do"
    S: a1 OK STORE completed
    C: a2 UID STORE 1 x-label later
    S: a2 OK UID STORE completed
    C: a3 STORE 1 X-LABEL
    S: a3 BAD Bogus attribute list in STORE
  `)
  expect(labels).toEqual(['to do: 2 3', 'later: 1 1'])
})
