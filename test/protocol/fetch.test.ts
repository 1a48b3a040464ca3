import { describe, expect, test } from 'vitest'
import { CUTS } from '../support/imap-client.js'
import { ImapFixture } from '../support/imap.js'
import { fill, nested, nestedItem, notes } from '../support/imap-scenes.js'
import { item } from '../support/mail.js'

async function selected(items: Parameters<typeof fill>[2], how: 'SELECT' | 'EXAMINE' = 'SELECT') {
  const server = await ImapFixture.make()
  await fill(server, 'INBOX', items)
  const client = await server.session()
  await client.command('s', `${how} INBOX`)
  return { server, client, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

describe('FETCH of columns (RFC 3501 §6.4.5)', () => {
  test('FLAGS, UID, INTERNALDATE, RFC822.SIZE and the macro FAST', async () => {
    await using s = await selected(notes('one', 'two'))
    await s.client.play(String.raw`
      C: a1 FETCH 1:2 (FLAGS UID)
      S: * 1 FETCH (FLAGS (\Recent) UID 1)
      S: * 2 FETCH (FLAGS (\Recent) UID 2)
      S: a1 OK FETCH completed
      C: a2 FETCH 2 FAST
      S: * 2 FETCH (FLAGS (\Recent) INTERNALDATE " 2-Jan-2026 03:04:05 +0000" RFC822.SIZE 105)
      S: a2 OK FETCH completed
      C: a3 UID FETCH 2:* FLAGS
      S: * 2 FETCH (UID 2 FLAGS (\Recent))
      S: a3 OK UID FETCH completed
      C: a4 UID FETCH 9 (UID FLAGS)
      S: a4 OK UID FETCH completed
      C: a5 UID FETCH 9:* UID
      S: * 2 FETCH (UID 2)
      S: a5 OK UID FETCH completed
    `)
  })
  test('many messages come whole and in order', async () => {
    await using s = await selected(notes(...Array.from({ length: 1200 }, (_, i) => String(i))))
    const lines = await s.client.command('a1', 'FETCH 1:* (UID)')
    expect(lines).toEqual([...Array.from({ length: 1200 }, (_, i) => `* ${i + 1} FETCH (UID ${i + 1})`), 'a1 OK FETCH completed'])
  })
  test('numbers that do not exist are errors, uids that do not exist are not (RFC 3501 §9, §6.4.8)', async () => {
    await using s = await selected(notes('one'))
    await s.client.play(`
      C: a1 FETCH 2 FLAGS
      S: a1 BAD Bogus sequence in FETCH: Sequence out of range
      C: a2 FETCH 0 FLAGS
      S: a2 BAD Bogus sequence in FETCH: Syntax error in sequence
      C: a3 FETCH 1:x FLAGS
      S: a3 BAD Bogus sequence in FETCH: Syntax error in sequence
      C: a4 UID FETCH 7,9 FLAGS
      S: a4 OK UID FETCH completed
      C: a5 FETCH 4294967295 UID
      S: a5 BAD Bogus sequence in FETCH: Sequence out of range
    `)
  })
  test('an empty mailbox has no last message', async () => {
    await using s = await selected([])
    await s.client.play(`
      C: a1 FETCH 1:* FLAGS
      S: a1 BAD Bogus sequence in FETCH: Sequence out of range
      C: a2 UID FETCH 1:* FLAGS
      S: a2 OK UID FETCH completed
    `)
  })
})

const envelope =
  '("Fri, 2 Jan 2026 03:04:05 +0000" "outer" (("Alice" NIL "alice" "example.org")) (("Alice" NIL "alice" "example.org")) (("Alice" NIL "alice" "example.org")) ' +
  '((NIL NIL "bob" "example.org")) NIL NIL NIL "<1@example.org>")'
const inner = '(NIL "inner" ((NIL NIL "bob" "example.org")) ((NIL NIL "bob" "example.org")) ((NIL NIL "bob" "example.org")) NIL NIL NIL NIL NIL)'
const plain = (lines: number, size: number): string => `("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" ${size} ${lines}`

describe('FETCH of structure', () => {
  test('ENVELOPE, BODYSTRUCTURE and BODY', async () => {
    await using s = await selected([nestedItem()])
    const body = `(${plain(0, 10)})("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 51 ${inner} ${plain(0, 10)}) 3) "MIXED")`
    await s.client.play(`
      C: a1 FETCH 1 ENVELOPE
      S: * 1 FETCH (ENVELOPE ${envelope})
      S: a1 OK FETCH completed
      C: a2 FETCH 1 (BODY)
      S: * 1 FETCH (BODY ${body})
      S: a2 OK FETCH completed
      C: a3 FETCH 1 (BODYSTRUCTURE UID)
      S: * 1 FETCH (BODYSTRUCTURE (<any> "MIXED" ("BOUNDARY" "b") NIL NIL NIL) UID 1)
      S: a3 OK FETCH completed
      C: a4 FETCH 1 FULL
      S: * 1 FETCH (FLAGS (\\Recent) INTERNALDATE <any> RFC822.SIZE ${nested.length} ENVELOPE ${envelope} BODY ${body})
      S: a4 OK FETCH completed
      C: a5 FETCH 1 ALL
      S: * 1 FETCH (FLAGS (\\Recent) INTERNALDATE <any> RFC822.SIZE ${nested.length} ENVELOPE ${envelope})
      S: a5 OK FETCH completed
      C: a6 UID FETCH 1 FAST
      S: * 1 FETCH (UID 1 FLAGS (\\Recent) INTERNALDATE <any> RFC822.SIZE ${nested.length})
      S: a6 OK UID FETCH completed
    `)
  })
})

describe.each(CUTS)('FETCH of sections, input cut: %s', (cut) => {
  test('numbers, HEADER, HEADER.FIELDS, TEXT and MIME, of the message and of the one within it', async () => {
    await using server = await ImapFixture.make()
    await fill(server, 'INBOX', [nestedItem()])
    const client = await server.session('alice', { cut })
    await client.command('s', 'EXAMINE INBOX')
    await client.play(String.raw`
      C: a1 FETCH 1 (BODY.PEEK[1])
      S: * 1 FETCH (BODY[1] {10}\r\nfirst part)
      S: a1 OK FETCH completed
      C: a2 FETCH 1 BODY.PEEK[1.MIME]
      S: * 1 FETCH (BODY[1.MIME] {28}\r\nContent-Type: text/plain\r\n\r\n)
      S: a2 OK FETCH completed
      C: a3 FETCH 1 BODY.PEEK[2.HEADER]
      S: * 1 FETCH (BODY[2.HEADER] {41}\r\nFrom: bob@example.org\r\nSubject: inner\r\n\r\n)
      S: a3 OK FETCH completed
      C: a4 FETCH 1 BODY.PEEK[2.TEXT]
      S: * 1 FETCH (BODY[2.TEXT] {10}\r\ninner text)
      S: a4 OK FETCH completed
      C: a5 FETCH 1 BODY.PEEK[2.1]
      S: * 1 FETCH (BODY[2.1] {10}\r\ninner text)
      S: a5 OK FETCH completed
      C: a6 FETCH 1 BODY.PEEK[HEADER.FIELDS (subject X-None)]
      S: * 1 FETCH (BODY[HEADER.FIELDS (subject X-None)] {18}\r\nSubject: outer\r\n\r\n)
      S: a6 OK FETCH completed
      C: a7 FETCH 1 BODY.PEEK[2.HEADER.FIELDS.NOT (FROM)]
      S: * 1 FETCH (BODY[2.HEADER.FIELDS.NOT (FROM)] {18}\r\nSubject: inner\r\n\r\n)
      S: a7 OK FETCH completed
      C: a8 FETCH 1 BODY.PEEK[3]
      S: * 1 FETCH (BODY[3] NIL)
      S: a8 OK FETCH completed
      C: a9 FETCH 1 (BODY.PEEK[1]<6.100> BODY.PEEK[1]<20.5> BODY.PEEK[1]<0.5>)
      S: * 1 FETCH (BODY[1]<6> {4}\r\npart BODY[1]<20> {0}\r\n BODY[1]<0> {5}\r\nfirst)
      S: a9 OK FETCH completed
      C: b1 FETCH 1 BODY.PEEK[2.HEADER.FIELDS (from)]
      S: * 1 FETCH (BODY[2.HEADER.FIELDS (from)] {25}\r\nFrom: bob@example.org\r\n\r\n)
      S: b1 OK FETCH completed
      C: b2 FETCH 1 BODY.PEEK[2.MIME]
      S: * 1 FETCH (BODY[2.MIME] {32}\r\nContent-Type: message/rfc822\r\n\r\n)
      S: b2 OK FETCH completed
      C: b3 FETCH 1 BODY.PEEK[2]<6.3>
      S: * 1 FETCH (BODY[2]<6> {3}\r\nbob)
      S: b3 OK FETCH completed
      C: b4 FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]<9.5>
      S: * 1 FETCH (BODY[HEADER.FIELDS (Subject)]<9> {5}\r\nouter)
      S: b4 OK FETCH completed
      C: b5 FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (From To Message-Id Date Content-Type MIME-Version)]
      S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (From To Message-Id Date Content-Type MIME-Version)] {18}\r\nSubject: outer\r\n\r\n)
      S: b5 OK FETCH completed
    `)
  })
})

describe('FETCH of whole messages', () => {
  test('BODY[], RFC822, RFC822.HEADER and RFC822.TEXT', async () => {
    await using s = await selected([item('A: b\n\ntext\n')], 'EXAMINE')
    await s.client.play(String.raw`
      C: a1 FETCH 1 BODY[]
      S: * 1 FETCH (BODY[] {14}\r\nA: b\r\n\r\ntext\r\n)
      S: a1 OK FETCH completed
      C: a2 FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)
      S: * 1 FETCH (RFC822 {14}\r\nA: b\r\n\r\ntext\r\n RFC822.HEADER {8}\r\nA: b\r\n\r\n RFC822.TEXT {6}\r\ntext\r\n)
      S: a2 OK FETCH completed
      C: a3 FETCH 1 BODY[HEADER]
      S: * 1 FETCH (BODY[HEADER] {8}\r\nA: b\r\n\r\n)
      S: a3 OK FETCH completed
    `)
  })
  test('reading text sets \\Seen, told in a line of its own; peeking and headers by the old name do not', async () => {
    await using s = await selected([item('A: b\n\none\n'), item('A: b\n\ntwo\n'), item('A: b\n\nthree\n')])
    await s.client.play(String.raw`
      C: a1 FETCH 1 (BODY.PEEK[] RFC822.HEADER)
      S: * 1 FETCH (BODY[] {13}\r\nA: b\r\n\r\none\r\n RFC822.HEADER {8}\r\nA: b\r\n\r\n)
      S: a1 OK FETCH completed
      C: a2 FETCH 1 (FLAGS BODY[TEXT])
      S: * 1 FETCH (FLAGS (\Recent) BODY[TEXT] {5}\r\none\r\n)
      S: * 1 FETCH (FLAGS (\Recent \Seen))
      S: a2 OK FETCH completed
      C: a3 FETCH 1 BODY[TEXT]
      S: * 1 FETCH (BODY[TEXT] {5}\r\none\r\n)
      S: a3 OK FETCH completed
      C: a4 UID FETCH 2:3 RFC822.TEXT
      S: * 2 FETCH (UID 2 RFC822.TEXT {5}\r\ntwo\r\n)
      S: * 3 FETCH (UID 3 RFC822.TEXT {7}\r\nthree\r\n)
      S: * 2 FETCH (UID 2 FLAGS (\Recent \Seen))
      S: * 3 FETCH (UID 3 FLAGS (\Recent \Seen))
      S: a4 OK UID FETCH completed
    `)
  })
  test('NUL goes out as 0x80 where a client ends strings at it, sizes unchanged (FAQ 7.34)', async () => {
    await using server = await ImapFixture.make({ workarounds: [{ reason: 'test', applies: () => true, tweaks: { nulToEighty: true } }] })
    await fill(server, 'INBOX', [item('A: b\n\na\0b\n')])
    const client = await server.session()
    await client.command('s', 'EXAMINE INBOX')
    expect(await client.command('a1', 'FETCH 1 BODY[TEXT]')).toEqual(['* 1 FETCH (BODY[TEXT] {5}\r\na\x80b\r\n)', 'a1 OK FETCH completed'])
  })
})

describe('FETCH that cannot be read', () => {
  test.each([
    ['FETCH 1', 'Missing or invalid argument to FETCH'],
    ['FETCH', 'Bogus sequence in FETCH: Syntax error in sequence'],
    ['FETCH 1 NOTHING', 'Bogus attribute list in FETCH'],
    ['FETCH 1 ()', 'Bogus attribute list in FETCH'],
    ['FETCH 1 (FLAGS', 'Unterminated FETCH attribute list'],
    ['FETCH 1 (FLAGS UID', 'Unterminated FETCH attribute list'],
    ['FETCH 1 (FLAGS ALL)', 'Bogus attribute list in FETCH'],
    ['FETCH 1 BODY[0]', 'Syntax error in section specifier'],
    ['FETCH 1 BODY[1', 'Section specifier not terminated'],
    ['FETCH 1 BODY[TEXT', 'Section specifier not terminated'],
    ['FETCH 1 BODY[MIME]', 'Unknown section text specifier'],
    ['FETCH 1 BODY[1.WORD]', 'Unknown section text specifier'],
    ['FETCH 1 BODY[HEADER.FIELDS ()]', 'Syntax error in header fields'],
    ['FETCH 1 BODY[HEADER.FIELDS (A]', 'Syntax error in header fields'],
    ['FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT]', 'Syntax error in header fields'],
    ['FETCH 1 BODY[TEXT]x', 'Syntax error after section specifier'],
    ['FETCH 1 (BODY[]<0.5>x)', 'Syntax error after section specifier'],
    ['FETCH 1 BODY[]<1>', 'Syntax error in partial text specifier'],
    ['FETCH 1 BODY[]<0.0>', 'Syntax error in partial text specifier'],
    ['FETCH 1 FLAGS FLAGS', 'Argument given to FETCH when none expected'],
    ['UID FETCH 1 NOTHING', 'Bogus attribute list in UID FETCH'],
  ])('%s', async (command, text) => {
    await using s = await selected(notes('one'))
    expect(await s.client.command('a1', command)).toEqual([`a1 BAD ${text}`])
  })
})
