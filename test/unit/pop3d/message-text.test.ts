import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MessageBytes } from '../../../core/api/index.js'
import { MessageText } from '../../../core/pop3d/message-text.js'
import { ReplyWriter } from '../../../core/pop3d/writer.js'
import { DotStuffer } from '../../../core/wire/pop3/dot-stuffer.js'
import { LineFramer } from '../../../core/wire/pop3/line-framer.js'

const never = new AbortController().signal

/** A message whose octets come in pieces of this size, or at once. */
function bytesOf(text: string, piece?: number): MessageBytes {
  const octets = Buffer.from(text, 'latin1')
  return {
    size: octets.length,
    ...(piece === undefined ? { inline: octets } : {}),
    read: (at, into) => Promise.resolve(octets.copy(into, 0, at, at + Math.min(into.length, piece ?? into.length))),
  }
}
function headerSize(text: string): number {
  const blank = /^\r?\n|\r?\n\r?\n/.exec(text)
  return blank === null ? text.length : blank.index + blank[0].length
}
interface Sent {
  readonly wire: string
  readonly announced: number
}
async function send(text: string, how: { readonly marks?: number; readonly lines?: number; readonly piece?: number } = {}): Promise<Sent> {
  const chunks: Buffer[] = []
  const out = new ReplyWriter({ write: (chunk) => chunks.push(Buffer.from(chunk)) > 0, drained: () => Promise.resolve() })
  const message = await MessageText.open({ headerSize: headerSize(text), bytes: bytesOf(text, how.piece), marks: how.marks }, how.lines === undefined, never)
  await message.send(out, how.lines, never)
  out.octets.flush()
  return { wire: Buffer.concat(chunks).toString('latin1'), announced: message.octets }
}
/** The text as a client takes it: by CRLF, or by any LF. */
function taken(wire: string, strict: boolean): { readonly text: string; readonly rest: string } {
  let text = ''
  let at = 0
  for (;;) {
    const end = wire.indexOf(strict ? '\r\n' : '\n', at)
    if (end < 0) throw new Error(`no end: ${JSON.stringify(wire)}`)
    const line = wire.slice(at, end + (strict ? 2 : 1))
    at += line.length
    if (line.trimEnd() === '.' && /^\.\r?\n$/.test(line)) return { text, rest: wire.slice(at) }
    text += line.startsWith('.') ? line.slice(1) : line
  }
}

describe('the text that RETR sends', () => {
  const rows = [
    { name: 'an ordinary message', text: 'A: b\r\n\r\nx\r\n', sent: 'A: b\r\nStatus:  O\r\n\r\nx\r\n' },
    { name: 'a header without a body', text: 'A: b\r\n\r\n', sent: 'A: b\r\nStatus:  O\r\n\r\n' },
    { name: 'a header without an empty line', text: 'A: b\r\n', sent: 'A: b\r\nStatus:  O\r\n' },
    { name: 'a header whose line does not end', text: 'A: b', sent: 'A: b\r\nStatus: \r\n' },
    { name: 'no header', text: '\r\nx\r\n', sent: 'Status:  O\r\n\r\nx\r\n' },
    { name: 'no octets', text: '', sent: 'Status:  O\r\n' },
    { name: 'a body whose last line does not end', text: 'A: b\r\n\r\nx', sent: 'A: b\r\nStatus: \r\n\r\nx\r\n' },
    { name: 'a body that ends with CR', text: 'A: b\r\n\r\nx\r', sent: 'A: b\r\nStatus: \r\n\r\nx\r\r\n' },
    { name: 'a body that ends with LF', text: 'A: b\r\n\r\nx\n', sent: 'A: b\r\nStatus: \r\n\r\nx\n\r\n' },
    { name: 'a header of lines that end with LF', text: 'A: b\n\nx\r\n', sent: 'A: b\nStatus:  O\r\n\nx\r\n' },
    { name: 'an empty body line', text: 'A: b\r\n\r\n\r\n', sent: 'A: b\r\nStatus:  O\r\n\r\n\r\n' },
  ]
  test.each(rows)('$name: as announced, whole or in pieces', async ({ text, sent }) => {
    for (const piece of [undefined, 1, 3]) {
      const { wire, announced } = await send(text, { marks: 0, ...(piece === undefined ? {} : { piece }) })
      expect(wire).toBe(`${sent}.\r\n`)
      expect(announced).toBe(text.length + 12)
      expect(sent).toHaveLength(announced)
    }
  })

  const dots = [
    { name: 'a dot at the beginning of a line is doubled', text: '\r\n.x\r\n', sent: '\r\n..x\r\n' },
    { name: 'a line with a dot alone is doubled', text: '\r\na\r\n.\r\nb\r\n', sent: '\r\na\r\n..\r\nb\r\n' },
    { name: 'a dot within a line stays', text: '\r\na.b\r\n', sent: '\r\na.b\r\n' },
    { name: 'a dot at the beginning of everything is doubled', text: '.A: b\r\n\r\n', sent: '..A: b\r\n\r\n' },
    { name: 'every dot that begins a line', text: '\r\n.\r\n.\r\n..\r\n', sent: '\r\n..\r\n..\r\n...\r\n' },
    { name: 'a dot behind a lone LF is doubled too: some readers split there', text: '\r\na\n.\r\nb\r\n', sent: '\r\na\n..\r\nb\r\n' },
    { name: 'a dot behind a lone CR stays', text: '\r\na\r.\r\n', sent: '\r\na\r.\r\n' },
  ]
  test.each(dots)('$name', async ({ text, sent }) => {
    for (const piece of [undefined, 1, 2]) expect((await send(text, piece === undefined ? {} : { piece })).wire).toBe(`${sent}.\r\n`)
  })

  test('for any octets: the size is that of the text, nothing within it ends the answer, and what readers of lines take is the text', async () => {
    const octet = fc.constantFrom('\r', '\n', '\r\n', '.', '\r\n.', '\r\n.\r\n', ' ', 'a', ':', '\0', '\xff')
    await fc.assert(
      fc.asyncProperty(fc.array(octet, { maxLength: 30 }), fc.constantFrom(undefined, 1, 5), fc.boolean(), async (parts, piece, status) => {
        const text = parts.join('')
        const { wire, announced } = await send(text, { ...(status ? { marks: 1 } : {}), ...(piece === undefined ? {} : { piece }) })
        const loose = taken(wire, false)
        expect(loose.rest).toBe('')
        expect(loose.text).toHaveLength(announced)
        if (status) expect(announced).toBe(text.length + 12)
        else expect(loose.text).toBe(text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`)
        if (!/(?:^|[^\r])\n/.test(text)) expect(taken(wire, true)).toEqual(loose)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the text that TOP sends', () => {
  const text = 'A: b\r\nC: d\r\n\r\n1\r\n.2\r\n\r\n4\r\n'
  const header = 'A: b\r\nC: d\r\nStatus: RO\r\n\r\n'
  const rows = [
    { lines: 0, sent: header },
    { lines: 1, sent: `${header}1\r\n` },
    { lines: 2, sent: `${header}1\r\n..2\r\n` },
    { lines: 3, sent: `${header}1\r\n..2\r\n\r\n` },
    { lines: 4, sent: `${header}1\r\n..2\r\n\r\n4\r\n` },
    { lines: 4_000_000_000, sent: `${header}1\r\n..2\r\n\r\n4\r\n` },
  ]
  test.each(rows)('$lines lines', async ({ lines, sent }) => {
    for (const piece of [undefined, 1, 7]) expect((await send(text, { marks: 1, lines, ...(piece === undefined ? {} : { piece }) })).wire).toBe(`${sent}.\r\n`)
  })
  const broken = [
    { name: 'without a body', text: 'A: b\r\n', sent: 'A: b\r\nStatus: RO\r\n' },
    { name: 'without a line end', text: 'A: b', sent: 'A: b\r\nStatus: RO\r\n' },
    { name: 'without anything', text: '', sent: 'Status: RO\r\n' },
    { name: 'without a header', text: '\r\nx\r\ny\r\n', sent: 'Status: RO\r\n\r\nx\r\n' },
    { name: 'with one line that does not end', text: 'A: b\r\n\r\nx', sent: 'A: b\r\nStatus: RO\r\n\r\nx\r\n' },
  ]
  test.each(broken)('of a message $name', async ({ text: from, sent }) => {
    expect((await send(from, { marks: 1, lines: 1 })).wire).toBe(`${sent}.\r\n`)
  })
})

describe('pieces', () => {
  test('dots are doubled the same, however a text is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('.', '\n', '\r\n', 'x'), { maxLength: 40 }), fc.array(fc.nat(6), { maxLength: 60 }), (parts, cuts) => {
        const text = Buffer.from(parts.join(''), 'latin1')
        const stuffed = (pieces: readonly Uint8Array[]): string => {
          const out: Buffer[] = []
          const stuffer = new DotStuffer({ bytes: (octets) => out.push(Buffer.from(octets)) })
          for (const piece of pieces) stuffer.write(piece)
          return Buffer.concat(out).toString('latin1')
        }
        const pieces: Uint8Array[] = []
        let at = 0
        for (const cut of cuts) pieces.push(text.subarray(at, (at = Math.min(text.length, at + cut))))
        expect(stuffed([...pieces, text.subarray(at)])).toBe(stuffed([text]))
      }),
    )
  })

  test('lines are the same, however the input is cut, also when its buffer is used again', () => {
    const frames = (pieces: readonly Buffer[]): readonly string[] => {
      const framer = new LineFramer((start) => (start[0] === 0x41 ? 20 : 10))
      const found: string[] = []
      for (const piece of pieces) {
        const lent = Buffer.from(piece)
        framer.push(lent)
        for (let frame = framer.next(); frame !== undefined; frame = framer.next()) found.push(frame.kind === 'line' ? Buffer.from(frame.octets).toString('latin1') : '<too long>')
        lent.fill(0xdd)
      }
      return found
    }
    const line = fc.constantFrom('', 'a', 'QUIT', 'x'.repeat(8), 'x'.repeat(9), 'x'.repeat(40), 'A'.repeat(18), 'A'.repeat(19), 'a\rb')
    fc.assert(
      fc.property(fc.array(fc.tuple(line, fc.constantFrom('\r\n', '\n')), { maxLength: 12 }), fc.array(fc.nat(7), { maxLength: 80 }), (lines, cuts) => {
        const text = Buffer.from(lines.map(([l, end]) => l + end).join(''), 'latin1')
        const pieces: Buffer[] = []
        let at = 0
        for (const cut of cuts) pieces.push(text.subarray(at, (at = Math.min(text.length, at + cut))))
        const whole = frames([text])
        expect(frames([...pieces, text.subarray(at)])).toEqual(whole)
        expect(whole).toEqual(lines.map(([l, end]) => (l.length + end.length > (l.startsWith('A') ? 20 : 10) ? '<too long>' : l)))
      }),
    )
  })
})
