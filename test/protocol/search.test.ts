import { describe, expect, test } from 'vitest'
import { SYSTEM } from '../../core/api/index.js'
import { ImapFixture } from '../support/imap.js'
import { fill } from '../support/imap-scenes.js'
import { item, note } from '../support/mail.js'

const day = (d: number): { readonly ms: number; readonly zone: number } => ({ ms: Date.UTC(2026, 0, d, 12), zone: 0 })
const scene = () => [
  note('one', { date: day(1), system: SYSTEM.seen }),
  note('two words', { date: day(2), system: SYSTEM.flagged, keywords: ['$Work'] }),
  item('From: "Carol Q" <carol@example.org>\nTo: bob@example.org\nCc: dave@example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nX-Tag: yes\nDate: Mon, 5 Jan 2026 00:00:00 +0000\n\nlong body text\n', {
    date: day(3),
    system: SYSTEM.deleted,
  }),
]
const cases = [
  ['ALL', '1 2 3'],
  ['1', '1'],
  ['2:*', '2 3'],
  ['*', '3'],
  ['UID 3', '3'],
  ['UID 1:2 3', ''],
  ['99', ''],
  ['SEEN', '1'],
  ['UNSEEN', '2 3'],
  ['FLAGGED', '2'],
  ['DELETED', '3'],
  ['UNDELETED', '1 2'],
  ['ANSWERED', ''],
  ['DRAFT', ''],
  ['KEYWORD $work', '2'],
  ['UNKEYWORD $Work', '1 3'],
  ['RECENT', '1 2 3'],
  ['NEW', '2 3'],
  ['OLD', ''],
  ['SUBJECT two', '2'],
  ['SUBJECT WORDS', '2'],
  ['FROM carol', '3'],
  ['TO bob', '1 2 3'],
  ['CC dave', '3'],
  ['BCC x', ''],
  ['BODY body', '3'],
  ['TEXT example.org', '1 2 3'],
  ['HEADER X-Tag yes', '3'],
  ['HEADER X-Tag ""', '3'],
  ['HEADER X-None ""', ''],
  ['BEFORE 2-Jan-2026', '1'],
  ['ON 2-Jan-2026', '2'],
  ['SINCE 2-Jan-2026', '2 3'],
  ['SINCE "2-Jan-2026" BEFORE 3-Jan-2026', '2'],
  ['SENTON 5-Jan-2026', '3'],
  ['SENTBEFORE 3-Jan-2026', '1 2'],
  ['SENTSINCE 3-Jan-2026', '3'],
  ['LARGER 150', '3'],
  ['SMALLER 150', '1 2'],
  ['NOT SEEN', '2 3'],
  ['NOT NOT SEEN', '1'],
  ['OR SEEN FLAGGED', '1 2'],
  ['OR (SEEN UNFLAGGED) (FLAGGED UNSEEN)', '1 2'],
  ['(1:2) UNSEEN', '2'],
] as const

/** Every key of RFC 3501 §6.4.4 with the messages it names, of five: some of them are found and some are not, but for ALL. */
const everyKey: Readonly<Record<string, readonly [program: string, found: string]>> = {
  '<sequence set>': ['2,4:*', '2 4 5'],
  ALL: ['ALL', '1 2 3 4 5'],
  ANSWERED: ['ANSWERED', '1'],
  BCC: ['BCC hidden', '2'],
  BEFORE: ['BEFORE 3-Jan-2026', '1 2'],
  BODY: ['BODY needle', '4'],
  CC: ['CC copied', '2'],
  DELETED: ['DELETED', '2'],
  DRAFT: ['DRAFT', '3'],
  FLAGGED: ['FLAGGED', '2 5'],
  FROM: ['FROM carol', '2 4'],
  HEADER: ['HEADER X-Tag yes', '4'],
  KEYWORD: ['KEYWORD $Work', '3'],
  LARGER: ['LARGER 500', '5'],
  NEW: ['NEW', '4'],
  NOT: ['NOT FLAGGED', '1 3 4'],
  OLD: ['OLD', '1 2 3'],
  ON: ['ON 3-Jan-2026', '3'],
  OR: ['OR ANSWERED DRAFT', '1 3'],
  RECENT: ['RECENT', '4 5'],
  SEEN: ['SEEN', '1 5'],
  SENTBEFORE: ['SENTBEFORE 12-Jan-2026', '1'],
  SENTON: ['SENTON 12-Jan-2026', '2'],
  SENTSINCE: ['SENTSINCE 13-Jan-2026', '3 4 5'],
  SINCE: ['SINCE 4-Jan-2026', '4 5'],
  SMALLER: ['SMALLER 500', '1 2 3 4'],
  SUBJECT: ['SUBJECT greet', '3'],
  TEXT: ['TEXT needle', '4 5'],
  TO: ['TO list', '5'],
  UID: ['UID 1:2,99', '1 2'],
  UNANSWERED: ['UNANSWERED', '2 3 4 5'],
  UNDELETED: ['UNDELETED', '1 3 4 5'],
  UNDRAFT: ['UNDRAFT', '1 2 4 5'],
  UNFLAGGED: ['UNFLAGGED', '1 3 4'],
  UNKEYWORD: ['UNKEYWORD $Work', '1 2 4 5'],
  UNSEEN: ['UNSEEN', '2 3 4'],
}
const sent = (d: number, header: string, body = 'text'): string => `From: bob@example.org\nDate: ${d} Jan 2026 12:00:00 +0000\n${header}\n\n${body}\n`
const oldOnes = () => [
  item(sent(11, 'Subject: first'), { date: day(1), system: SYSTEM.seen | SYSTEM.answered }),
  item(sent(12, 'Cc: copied@example.org\nBcc: hidden@example.org').replace('bob', 'carol'), { date: day(2), system: SYSTEM.deleted | SYSTEM.flagged }),
  item(sent(13, 'Subject: Greetings'), { date: day(3), system: SYSTEM.draft, keywords: ['$Work'] }),
]
const newOnes = () => [
  item(sent(14, 'X-Tag: yes', 'a needle here').replace('bob', 'carol'), { date: day(4) }),
  item(sent(15, 'To: list@example.org\nX-Note: no needle', 'hay '.repeat(200)), { date: day(5), system: SYSTEM.seen | SYSTEM.flagged }),
]

describe('every SEARCH key finds what it names and nothing else', () => {
  test.each(Object.entries(everyKey))('%s', async (key, [program, found]) => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', oldOnes())
    const first = await server.session()
    await first.command('s', 'SELECT INBOX')
    await first.command('l', 'LOGOUT')
    await fill(server, 'INBOX', newOnes())
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    expect(await client.command('a', `SEARCH ${program}`)).toEqual([`* SEARCH ${found}`, 'a OK SEARCH completed'])
    const uid = await client.command('b', `UID SEARCH ${program}`)
    expect(uid).toEqual([`* SEARCH ${found}`, 'b OK UID SEARCH completed'])
    // The opposite is the rest.
    const rest = [1, 2, 3, 4, 5].filter((n) => !found.split(' ').includes(String(n))).join(' ')
    expect(await client.command('c', `SEARCH NOT (${program})`)).toEqual([`* SEARCH${rest === '' ? '' : ' '}${rest}`, 'c OK SEARCH completed'])
    expect(rest === '').toBe(key === 'ALL')
  })
})

describe('SEARCH (RFC 3501 §6.4.4)', () => {
  test.each(cases)('%s', async (program, found) => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', scene())
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    expect(await client.command('a1', `SEARCH ${program}`)).toEqual([`* SEARCH${found === '' ? '' : ' '}${found}`, 'a1 OK SEARCH completed'])
  })
  test('charsets: the words are decoded on both sides', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', scene())
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.play(String.raw`
      C: a1 SEARCH CHARSET UTF-8 SUBJECT {6}
      S: + Ready for argument
      C: ${Buffer.from('grüß').toString('latin1')}
      S: * SEARCH 3
      S: a1 OK SEARCH completed
      C: a2 UID SEARCH CHARSET ISO-8859-1 SUBJECT {4}
      S: + Ready for argument
      C: ${'GR\xdc\xdf'}
      S: * SEARCH 3
      S: a2 OK UID SEARCH completed
      C: a3 SEARCH CHARSET X-NOTHING ALL
      S: a3 NO [BADCHARSET (US-ASCII UTF-8 <any>)] SEARCH failed: Unknown charset: X-NOTHING
    `)
  })
  test('numbers are those of the client, uids the mailbox\'s', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', scene())
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    await client.command('d', String.raw`STORE 1 +FLAGS.SILENT (\Deleted)`)
    await client.command('u', 'UID EXPUNGE 1')
    await client.play(`
      C: a1 SEARCH ALL
      S: * SEARCH 1 2
      S: a1 OK SEARCH completed
      C: a2 UID SEARCH 2
      S: * SEARCH 3
      S: a2 OK UID SEARCH completed
    `)
  })
  test.each(['', ' ', 'FROB', 'SUBJECT', 'OR SEEN', '(SEEN', 'SEEN)', 'BEFORE yesterday', 'LARGER x', 'NOT', '1:', `${'('.repeat(501)}ALL${')'.repeat(501)}`])(
    'SEARCH %s is refused',
    async (program) => {
      await using server = await ImapFixture.make()
      const client = await server.session()
      await client.command('s', 'SELECT INBOX')
      const [line] = await client.command('a1', `SEARCH ${program}`)
      expect(line).toMatch(/^a1 BAD (?:Missing or invalid argument to SEARCH|Argument given to SEARCH when none expected)$/)
    },
  )
})
