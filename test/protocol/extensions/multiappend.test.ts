import { describe, expect, test } from 'vitest'
import type { AppendSource } from '../../../core/api/index.js'
import { CUTS } from '../../support/imap-client.js'
import { ImapFixture } from '../../support/imap.js'

describe.each(CUTS)('MULTIAPPEND (RFC 3502), input cut: %s', (cut) => {
  test('several messages, each with its own flags and date', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session('alice', { cut })
    await client.play(String.raw`
      C: a2 APPEND INBOX (\Seen $Work) " 7-Feb-1994 21:52:25 -0800" {6}
      S: + Ready for argument
      C: A: 1\r\n (\Flagged) {6}
      S: + Ready for argument
      C: A: 2\r\n {7+}
      C> A: 33\r\n
      C:
      S: a2 OK [APPENDUID <any> 1:3] APPEND completed
      C: a3 STATUS INBOX (MESSAGES)
      S: * STATUS INBOX (MESSAGES 3)
      S: a3 OK STATUS completed
    `)
    await client.command('s', 'EXAMINE INBOX')
    expect(await client.command('f', 'FETCH 1:* (FLAGS RFC822.SIZE)')).toEqual([
      String.raw`* 1 FETCH (FLAGS (\Recent \Seen $Work) RFC822.SIZE 6)`,
      String.raw`* 2 FETCH (FLAGS (\Recent \Flagged) RFC822.SIZE 6)`,
      String.raw`* 3 FETCH (FLAGS (\Recent) RFC822.SIZE 7)`,
      'f OK FETCH completed',
    ])
  })
})

describe('MULTIAPPEND', () => {
  const refused = [
    { what: 'an empty message', end: String.raw` {0+}`, answer: 'NO Empty message to APPEND' },
    { what: 'a date that is none', end: ' "yesterday" {0+}', answer: 'BAD Missing or invalid argument to APPEND' },
    { what: 'flags without a message', end: String.raw` (\Seen)`, answer: 'BAD Missing literal in APPEND' },
    { what: 'a message that is too large', end: ' {1073741825}', answer: 'NO [TOOBIG] Excessively large message to APPEND' },
    { what: 'words behind a message', end: ' junk', answer: 'BAD Argument given to APPEND when none expected' },
  ]
  test.each(refused)('$what at the end: nothing arrives', async ({ end, answer }) => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    expect(await client.command('a1', `APPEND INBOX {6+}\r\nA: 1\r\n {6+}\r\nA: 2\r\n${end}${end.endsWith('+}') ? '\r\n' : ''}`)).toEqual([`a1 ${answer}`])
    expect(await client.command('a2', 'STATUS INBOX (MESSAGES UIDNEXT)')).toEqual(['* STATUS INBOX (MESSAGES 0 UIDNEXT 1)', 'a2 OK STATUS completed'])
  })
  test('a hundred at once, and the news of them in one', async () => {
    await using server = await ImapFixture.make()
    const client = await server.session()
    await client.command('s', 'SELECT INBOX')
    const text = Array.from({ length: 100 }, (_, i) => ` {8+}\r\nA: ${String(i).padStart(3, '0')}\r\n`).join('')
    expect(await client.command('a', `APPEND INBOX${text}`)).toEqual(['* 100 EXISTS', '* 100 RECENT', expect.stringMatching(/^a OK \[APPENDUID \d+ 1:100\] APPEND completed$/)])
  })
  test('without the extension a second message is one argument too many', async () => {
    await using server = await ImapFixture.make({ without: ['multiappend'] })
    const client = await server.session()
    expect(await client.command('a1', 'APPEND INBOX {6+}\r\nA: 1\r\n {6+}\r\nA: 2\r\n')).toEqual(['a1 BAD Argument given to APPEND when none expected'])
    expect(await client.command('a2', 'STATUS INBOX (MESSAGES)')).toEqual(['* STATUS INBOX (MESSAGES 0)', 'a2 OK STATUS completed'])
    expect((await client.command('a3', 'CAPABILITY'))[0]).not.toContain('MULTIAPPEND')
  })
})

/** `TWICE (literal)`: the octets of the literal two times, as an extension would make a message of parts. */
const twice: AppendSource = {
  name: 'TWICE',
  async receive(input) {
    const c = await input.next()
    c.space()
    if (!c.take(0x28)) c.fail('"("')
    const chunks: Uint8Array[] = []
    for await (const chunk of input.literal()?.bytes ?? []) chunks.push(chunk)
    if (!(await input.next()).take(0x29)) c.fail('")"')
    const all = Buffer.concat([...chunks, ...chunks])
    return {
      size: all.length,
      binary: false,
      bytes: {
        async *[Symbol.asyncIterator]() {
          yield all
        },
      },
    }
  },
}
/** `NAMED word`: a message made of a word, without any literal. */
const named: AppendSource = {
  name: 'NAMED',
  async receive(input) {
    const c = await input.next()
    c.space()
    const text = Buffer.from(`A: ${c.atom()}\r\n`)
    return { ...(await inMemory(text)), binary: false }
  },
}
async function inMemory(text: Uint8Array): Promise<{ readonly size: number; readonly bytes: AsyncIterable<Uint8Array> }> {
  return {
    size: text.length,
    bytes: {
      async *[Symbol.asyncIterator]() {
        yield text
      },
    },
  }
}
describe('sources of messages that extensions bring', () => {
  const more = [{ name: 'sources', plugin: 'test', about: { requires: [], capabilities: () => [] }, made: { appendSources: [twice, named] } }]
  test('stand where the literal stands', async () => {
    await using server = await ImapFixture.make({ more })
    const client = await server.session()
    const sent = 'APPEND INBOX (\\Seen) TWICE ({6+}\r\nA: 1\r\n) NAMED x {6+}\r\nA: 2\r\n (\\Draft) NAMED y'
    expect(await client.command('a0', sent)).toEqual(['a0 BAD Argument given to APPEND when none expected'])
    for (const [i, what] of [String.raw`(\Seen) TWICE ({6+}` + '\r\nA: 1\r\n)', 'NAMED x', '{6+}\r\nA: 2\r\n', '{6+}\r\nA: 3\r\n (\\Draft) NAMED y', '(\\Draft) NAMED z (\\Seen) TWICE ({6+}\r\nA: 1\r\n)'].entries()) {
      expect((await client.command(`b${i}`, `APPEND INBOX ${what}`)).at(-1)).toMatch(/^b\d OK /)
    }
    await client.command('s', 'EXAMINE INBOX')
    expect(await client.command('f', 'UID FETCH 1:* RFC822.SIZE')).toEqual([
      ...[12, 6, 6, 6, 6, 6, 12].map((size, i) => `* ${i + 1} FETCH (UID ${i + 1} RFC822.SIZE ${size})`),
      'f OK UID FETCH completed',
    ])
  })
  test('what they do not read is an argument too many', async () => {
    await using server = await ImapFixture.make({ more })
    const client = await server.session()
    expect(await client.command('a1', 'APPEND INBOX NAMED x y')).toEqual(['a1 BAD Argument given to APPEND when none expected'])
    expect(await client.command('a2', 'APPEND nowhere NAMED x')).toEqual(['* OK [TRYCREATE] Must create mailbox before append', 'a2 NO [TRYCREATE] APPEND failed: no such mailbox'])
    expect(await client.command('a3', 'APPEND INBOX OTHER x')).toEqual(['a3 BAD Missing literal in APPEND'])
  })
})
