import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolAbort, uids } from '../../../core/api/index.js'
import type { MailboxName } from '../../../core/api/index.js'
import { OctetCursor } from '../../../core/wire/imap/cursor.js'
import { OctetWriter } from '../../../core/wire/imap/writer.js'
import type { WriterOptions } from '../../../core/wire/imap/writer.js'

/** Keeps what is written; asks for a pause after `most` octets. */
class Sink {
  chunks: Uint8Array[] = []
  waits = 0
  pending = 0
  readonly #most: number
  constructor(most = Infinity) {
    this.#most = most
  }
  write(chunk: Uint8Array): boolean {
    this.chunks.push(chunk)
    this.pending += chunk.length
    return this.pending <= this.#most
  }
  async drained(): Promise<void> {
    this.waits++
    this.pending = 0
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }
}
function written(run: (out: OctetWriter) => unknown, options: Partial<WriterOptions> = {}): string {
  const sink = new Sink()
  const out = new OctetWriter(sink, options)
  run(out)
  out.flush()
  return sink.text
}
const octets = (s: string): Uint8Array => Buffer.from(s, 'latin1')
const name = (s: string): MailboxName => s as MailboxName
const never = new AbortController().signal

const values: readonly { name: string; run: (out: OctetWriter) => unknown; text: string }[] = [
  { name: 'text that could end a line cannot', run: (o) => o.raw('a\r\n* BYE\0é'), text: 'a??* BYE??' },
  { name: 'numbers', run: (o) => [0, 7, 10, 99, 100, 4294967295, 4294967296, 9007199254740991].forEach((n) => o.number(n).raw(' ')), text: '0 7 10 99 100 4294967295 4294967296 9007199254740991 ' },
  { name: 'atoms and flags', run: (o) => o.atom('\\Seen').raw(' ').atom('$Label1').raw(' ').atom('\\*'), text: '\\Seen $Label1 \\*' },
  { name: 'what is no atom is a string', run: (o) => o.atom('a b').raw(' ').atom('').raw(' ').atom('a"b'), text: '"a b" "" {3}\r\na"b' },
  { name: 'strings', run: (o) => o.string(octets('a b')).raw(' ').string(octets('')).raw(' ').string(octets('a\\b')).raw(' ').string(octets('\xe9')), text: '"a b" "" {3}\r\na\\b {1}\r\n\xe9' },
  { name: 'a string with NUL is a literal of RFC 3516', run: (o) => o.string(octets('a\0')), text: '~{2}\r\na\0' },
  { name: 'NIL', run: (o) => o.nstring(undefined).raw(' ').nstring(octets('NIL')), text: 'NIL "NIL"' },
  { name: 'mailbox names', run: (o) => ['INBOX', 'a b', '', 'NIL', 'été', 'a&b', 'x]y', 'a%'].forEach((n) => o.mailbox(name(n)).raw(',')), text: 'INBOX,"a b","","NIL",&AOk-t&AOk-,a&-b,x]y,"a%",' },
  { name: 'sets', run: (o) => o.set(uids.from([1, 3, 4, 5, 9])).raw(' ').set(uids.all), text: '1,3:5,9 1:4294967295' },
  { name: 'dates', run: (o) => o.dateTime(0, -90), text: '"31-Dec-1969 22:30:00 -0130"' },
]
describe('OctetWriter', () => {
  test.each(values)('$name', ({ run, text }) => {
    expect(written(run)).toBe(text)
  })
  test('mailbox names in UTF-8 once it is enabled', () => {
    const options = { mode: { utf8: true, rev2: false } }
    expect(written((o) => o.mailbox(name('été "x"')), options)).toBe(Buffer.from('"été \\"x\\""').toString('latin1'))
    expect(written((o) => o.mailbox(name('a\nb')), options)).toBe('{3}\r\na\nb')
  })
  test('long output comes whole and in order, in few large chunks', () => {
    const sink = new Sink()
    const out = new OctetWriter(sink)
    let expected = ''
    for (let i = 1; i <= 20_000; i++) {
      out.raw('* ').number(i).raw(' FETCH (UID ').number(i * 3).raw(')').endLine()
      expected += `* ${i} FETCH (UID ${i * 3})\r\n`
    }
    out.flush()
    expect(sink.text).toBe(expected)
    expect(sink.chunks.length).toBeLessThan(25)
    expect(out.octets).toBe(expected.length)
  })
  test.each([[2000, 1], [12_000, 1], [30_000, 1], [60_000, 2]])('a message of %i octets leaves with the end of its answer, in %i chunks', (size, chunks) => {
    const sink = new Sink()
    const out = new OctetWriter(sink)
    const octets = Buffer.alloc(size, 'x')
    void out.raw('* 1 FETCH (BODY[] ').literal({ size, inline: octets, read: () => Promise.resolve(0) }, new AbortController().signal, 'text')
    out.raw(')').endLine()
    out.raw('a1 OK FETCH completed').endLine()
    out.flush()
    expect(sink.text).toBe(`* 1 FETCH (BODY[] {${size}}\r\n${octets.toString()})\r\na1 OK FETCH completed\r\n`)
    expect(sink.chunks).toHaveLength(chunks)
  })
  test('chunks that were handed over do not change', () => {
    const sink = new Sink()
    const out = new OctetWriter(sink)
    out.raw('first').endLine()
    out.flush()
    const first = Buffer.from(sink.chunks[0]!)
    out.raw('x'.repeat(5000)).endLine()
    out.flush()
    expect(Buffer.from(sink.chunks[0]!).equals(first)).toBe(true)
  })
  test('an unfinished line can be taken back, also across slabs, but not once part of it has left', () => {
    const sink = new Sink()
    const out = new OctetWriter(sink)
    out.raw('* 1 EXISTS').endLine()
    out.raw('* 1 FETCH (').bytes(octets('x'.repeat(3000)))
    expect(out.dropLine()).toBe(true)
    expect(out.atLineStart).toBe(true)
    out.raw('* 2 FETCH (')
    out.flush()
    expect([out.dropLine(), out.atLineStart]).toEqual([false, false])
    out.raw(')').endLine()
    out.flush()
    expect([sink.text, out.atLineStart]).toEqual(['* 1 EXISTS\r\n* 2 FETCH ()\r\n', true])
  })
  test('strings and names come back from the cursor', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (list) => {
        const c = new OctetCursor(octets(written((o) => list.forEach((s) => o.string(s).raw(' ')))))
        for (const s of list) {
          expect(Buffer.from(c.string()).equals(s)).toBe(true)
          c.space()
        }
      }),
    )
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }).map((s) => s.replaceAll('\0', ''))), (list) => {
        const c = new OctetCursor(octets(written((o) => list.forEach((s) => o.mailbox(name(s)).raw(' ')))))
        for (const s of list) {
          expect(c.mailbox()).toBe(s.toUpperCase() === 'INBOX' && s.length === 5 ? 'INBOX' : s)
          c.space()
        }
      }),
    )
  })
})

/** Reads in small steps, and fails where told to. */
function message(text: string, step: number, failAt = Infinity): { size: number; read(at: number, into: Uint8Array): Promise<number> } {
  return {
    size: text.length,
    async read(at, into) {
      if (at >= failAt) throw new Error('gone')
      const part = octets(text.slice(at, at + Math.min(step, into.length)))
      into.set(part)
      return part.length
    },
  }
}
describe('literals', () => {
  test('inline octets need no wait', () => {
    const text = written((o) => expect(o.literal({ size: 3, inline: octets('abc'), read: async () => 0 }, never, 'text')).toBeUndefined())
    expect(text).toBe('{3}\r\nabc')
  })
  test('a large message streams, whatever the reads give, and waits for a slow client', async () => {
    const body = 'line of text\r\n'.repeat(20_000)
    const sink = new Sink(100_000)
    const out = new OctetWriter(sink)
    await out.raw('BODY[] ').literal(message(body, 7777), never, 'text')
    out.raw(')').endLine()
    out.flush()
    expect(sink.text === `BODY[] {${body.length}}\r\n${body})\r\n`).toBe(true)
    expect(sink.waits).toBeGreaterThan(1)
  })
  test('an empty message is an empty literal', async () => {
    const sink = new Sink()
    const out = new OctetWriter(sink)
    await out.literal(message('', 1), never, 'binary')
    out.flush()
    expect(sink.text).toBe('~{0}\r\n')
  })
  test('NULs become 0x80 and hooks see message text, but never binary items', async () => {
    const options: Partial<WriterOptions> = { nulToEighty: true, text: (chunk) => chunk.forEach((o, i) => (o === 0x61 ? chunk.set([0x41], i) : undefined)) }
    const inline = octets('a\0b')
    expect(written((o) => void o.literal({ size: 3, inline, read: async () => 0 }, never, 'text'), options)).toBe('{3}\r\nA\x80b')
    expect(Buffer.from(inline).toString('latin1')).toBe('a\0b')
    expect(written((o) => void o.literal({ size: 3, inline, read: async () => 0 }, never, 'binary'), options)).toBe('~{3}\r\na\0b')
    const sink = new Sink()
    const out = new OctetWriter(sink, options)
    await out.literal(message('a\0'.repeat(100_000), 9999), never, 'text')
    out.flush()
    expect(sink.text === `{200000}\r\n${'A\x80'.repeat(100_000)}`).toBe(true)
  })
  test('a message that is gone before the first octet breaks nothing', async () => {
    const out = new OctetWriter(new Sink())
    out.raw('* 1 FETCH (BODY[] ')
    await expect(out.literal(message('x'.repeat(100), 10, 0), never, 'text')).rejects.toThrow('gone')
    expect(out.dropLine()).toBe(true)
  })
  test('a message that goes or shrinks after its size was announced ends the link', async () => {
    await expect(new OctetWriter(new Sink()).literal(message('x'.repeat(100), 10, 50), never, 'text')).rejects.toThrow(ProtocolAbort)
    await expect(new OctetWriter(new Sink()).literal({ ...message('x'.repeat(100), 10), size: 101 }, never, 'text')).rejects.toThrow(ProtocolAbort)
  })
  test('room says nothing while the client keeps up', async () => {
    const sink = new Sink(10)
    const out = new OctetWriter(sink)
    expect(out.room()).toBeUndefined()
    out.raw('x'.repeat(20))
    out.flush()
    await out.room()
    expect([sink.waits, out.room()]).toEqual([1, undefined])
  })
})

describe('memory of slabs', () => {
  /** As a link: what was written is looked at until `send`. */
  class Link extends Sink {
    settled = true
    readonly sent: string[] = []
    override write(chunk: Uint8Array): boolean {
      this.settled = false
      return super.write(chunk)
    }
    send(): void {
      this.sent.push(this.text)
      this.chunks = []
      this.settled = true
    }
  }
  const answer = (i: number): string => String.fromCharCode(97 + (i % 26)).repeat(12_000)

  test('a slab that was kept begins anew when all of it is sent, and nothing that waits is written over', () => {
    const link = new Link()
    const out = new OctetWriter(link)
    const memory = new Set<ArrayBufferLike>()
    for (let i = 0; i < 200; i++) {
      out.raw('+OK').endLine()
      out.bytes(octets(answer(i))).endLine()
      out.flush(true)
      for (const chunk of link.chunks) memory.add(chunk.buffer)
      // Every third answer waits for the one behind it.
      if (i % 3 !== 0) link.send()
    }
    link.send()
    expect(link.sent.join('') === Array.from({ length: 200 }, (_, i) => `+OK\r\n${answer(i)}\r\n`).join('')).toBe(true)
    expect(memory.size).toBeLessThan(10)
  })
  test('answers that fill slab after slab use one, where the sink has done with each at once', () => {
    const link = new Link()
    const memory = new Set<ArrayBufferLike>()
    const write = link.write.bind(link)
    link.write = (chunk) => {
      memory.add(chunk.buffer)
      const more = write(chunk)
      link.send()
      return more
    }
    const out = new OctetWriter(link)
    for (let i = 0; i < 200; i++) out.raw(`* ${i} `).bytes(octets(answer(i))).endLine()
    out.flush()
    expect(link.sent.join('') === Array.from({ length: 200 }, (_, i) => `* ${i} ${answer(i)}\r\n`).join('')).toBe(true)
    expect(memory.size).toBeLessThan(8)
  })
  test('a sink that does not tell keeps every chunk', () => {
    const sink = new Sink()
    const out = new OctetWriter(sink)
    for (let i = 0; i < 200; i++) {
      out.bytes(octets(answer(i))).endLine()
      out.flush(true)
    }
    expect(sink.text === Array.from({ length: 200 }, (_, i) => `${answer(i)}\r\n`).join('')).toBe(true)
  })
  test('an unfinished line moves along to the beginning of the same slab', () => {
    const link = new Link()
    const out = new OctetWriter(link)
    for (let i = 0; i < 40; i++) {
      out.raw('x'.repeat(1000)).raw('x'.repeat(2000)).endLine()
      if (i % 2 === 0) link.send()
    }
    out.flush()
    link.send()
    expect(link.sent.join('') === `${'x'.repeat(3000)}\r\n`.repeat(40)).toBe(true)
  })
})
