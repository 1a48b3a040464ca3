import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MIME_LIMITS } from '../../../core/mime/limits.js'
import type { MimePart } from '../../../core/mime/part.js'
import { mapParts } from '../../../core/mime/part-map.js'
import { MimeScanner, scanOctets } from '../../../core/mime/scanner.js'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const crlf = (text: string): Buffer => bytes(text.replace(/\r?\n/g, '\r\n'))

/** What a tree says about a message, with the octets in place of offsets. */
function shown(message: Buffer, part: MimePart): unknown {
  const type = `${part.content.type}/${part.content.subtype}`
  const body = message.toString('latin1', part.bodyAt, part.bodyAt + part.bodySize)
  if (part.children.length === 0) return [type, body]
  return [type, part.children.map((child) => shown(message, child))]
}
const mixed = (boundary: string, ...rest: string[]): string => `Content-Type: multipart/mixed; boundary="${boundary}"\n\n${rest.join('')}`
const P = 'TEXT/PLAIN'

const trees = [
  { name: 'preamble and epilogue belong to no part', text: mixed('B', 'pre\n--B\n\none\n--B\n\ntwo\n--B--\nepilogue\n--B\n\nthree\n'), expected: ['MULTIPART/MIXED', [[P, 'one'], [P, 'two']]] },
  { name: 'missing end', text: mixed('B', '--B\n\none\n--B\n\ntwo\n'), expected: ['MULTIPART/MIXED', [[P, 'one'], [P, 'two\r\n']]] },
  { name: 'end of message in the closing line', text: mixed('B', '--B\n\none\n--B--'), expected: ['MULTIPART/MIXED', [[P, 'one']]] },
  { name: 'blanks behind the delimiter', text: mixed('B', '--B  \n\none\n--B-- \t\n'), expected: ['MULTIPART/MIXED', [[P, 'one']]] },
  { name: 'no delimiters: other text on the line', text: mixed('B', '--B\n\none\n--Bx\n --B\nx--B\n---B\n--B--x\n--B--\n'), expected: ['MULTIPART/MIXED', [[P, 'one\r\n--Bx\r\n --B\r\nx--B\r\n---B\r\n--B--x']]] },
  { name: 'part without blank line', text: mixed('B', '--B\nContent-Type: text/html\n--B\n\ntwo\n--B--\n'), expected: ['MULTIPART/MIXED', [['TEXT/HTML', ''], [P, 'two']]] },
  { name: 'part without header and body', text: mixed('B', '--B\n--B--\n'), expected: ['MULTIPART/MIXED', [[P, '']]] },
  { name: 'empty body', text: mixed('B', '--B\n\n--B\n\n\n--B--\n'), expected: ['MULTIPART/MIXED', [[P, ''], [P, '']]] },
  {
    name: 'nested, inner boundary begins like the outer',
    text: mixed('B', `--B\n${mixed('BB', '--BB\n\nin\n--BB--\nepi\n')}\n--B\n\nout\n--B--\n`),
    expected: ['MULTIPART/MIXED', [['MULTIPART/MIXED', [[P, 'in']]], [P, 'out']]],
  },
  {
    name: 'nested, outer boundary begins like the inner',
    text: mixed('BB', `--BB\n${mixed('B', '--B\n\nin\n--B--\n')}--BB\n\nout\n--BB--\n`),
    expected: ['MULTIPART/MIXED', [['MULTIPART/MIXED', [[P, 'in']]], [P, 'out']]],
  },
  {
    name: 'nested with the same boundary: the inner one takes it',
    text: mixed('B', `--B\n${mixed('B', '--B\n\nin\n--B--\n')}--B\n\nout\n--B--\n`),
    expected: ['MULTIPART/MIXED', [['MULTIPART/MIXED', [[P, 'in']]], [P, 'out']]],
  },
  {
    name: 'an outer delimiter ends what is open within',
    text: mixed('B', `--B\n${mixed('C', '--C\n\nin\n')}--B\n\nout\n--B--\n--C\n\nno\n`),
    expected: ['MULTIPART/MIXED', [['MULTIPART/MIXED', [[P, 'in']]], [P, 'out']]],
  },
  { name: 'without boundary parameter', text: 'Content-Type: multipart/mixed; x=y\n\n---\n\none\n-----\n', expected: ['MULTIPART/MIXED', [[P, 'one']]] },
  { name: 'boundary with odd characters, bare', text: 'Content-Type: multipart/mixed; boundary=----=_x/y:z\n\n------=_x/y:z\n\none\n------=_x/y:z--\n', expected: ['MULTIPART/MIXED', [[P, 'one']]] },
  { name: 'boundary in pieces (RFC 2231)', text: "Content-Type: multipart/mixed; boundary*0*=us-ascii'en'B%3D; boundary*1=C\n\n--B=C\n\none\n--B=C--\n", expected: ['MULTIPART/MIXED', [[P, 'one']]] },
  {
    name: 'message in message in multipart',
    text: mixed('B', '--B\nContent-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nA: b\n\nin\n\n--B--\n'),
    expected: ['MULTIPART/MIXED', [['MESSAGE/RFC822', [['MESSAGE/RFC822', [[P, 'in\r\n']]]]]]],
  },
  {
    name: 'message cut off in its header',
    text: mixed('B', '--B\nContent-Type: message/rfc822\n\nSubject: x\n--B\n\ntwo\n--B--\n'),
    expected: ['MULTIPART/MIXED', [['MESSAGE/RFC822', [[P, '']]], [P, 'two']]],
  },
  {
    name: 'message without anything',
    text: mixed('B', '--B\nContent-Type: message/rfc822\n--B\n\ntwo\n--B--\n'),
    expected: ['MULTIPART/MIXED', [['MESSAGE/RFC822', [[P, '']]], [P, 'two']]],
  },
]

/** Mail-like text out of pieces that matter to the scanner. */
const soup = fc
  .array(
    fc.constantFrom(
      '--B', '--BB', '--B--', '--', '-', '\r\n', '\n', '\r', '\r\n\r\n', ' ', 'x', '\x1b$B', '\xe9', 'a: b\r\n', 'text\r\n',
      'Content-Type: multipart/mixed; boundary=B\r\n\r\n', 'Content-Type: multipart/digest; boundary=BB\r\n\r\n', '\r\n--B\r\n', '\r\n--BB\r\n', '\r\n--B--\r\n',
      'Content-Type: message/rfc822\r\n\r\n', 'Content-Type: text/plain; charset=x\r\n',
    ),
    { maxLength: 40 },
  )
  .map((pieces) => bytes(pieces.join('')))

describe('scanner', () => {
  test.each(trees)('$name', ({ text, expected }) => {
    for (const message of [crlf(text), bytes(text)]) {
      const norm = JSON.parse(JSON.stringify(expected).replaceAll('\\r\\n', message.includes('\r\n') ? '\\r\\n' : '\\n')) as unknown
      expect(shown(message, scanOctets(message))).toEqual(norm)
    }
  })

  test('pieces of any size give the same tree', () => {
    fc.assert(
      fc.property(soup, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 }), (message, sizes) => {
        const whole = scanOctets(message, { envelopes: true })
        const scanner = new MimeScanner({ envelopes: true })
        for (let at = 0, i = 0; at < message.length; i++) {
          const size = sizes[i % sizes.length]!
          // The scanner may not keep the buffer it was handed.
          const piece = Buffer.from(message.subarray(at, at + size))
          scanner.push(piece)
          piece.fill(0x2d)
          at += size
        }
        expect(scanner.end()).toEqual(whole)
        // The faster way finds the same places.
        const fast = new MimeScanner({ lines: false })
        for (let at = 0; at < message.length; at += sizes[0]!) fast.push(message.subarray(at, at + sizes[0]!))
        expect(mapParts(fast.end())).toEqual(mapParts(whole))
        expect(mapParts(scanOctets(message, { lines: false }))).toEqual(mapParts(whole))
      }),
      { numRuns: 1500 },
    )
  })

  test('parts lie within their parents, in order, and headers touch bodies', () => {
    const check = (part: MimePart, message: Buffer): void => {
      expect(part.headerAt + part.headerSize).toBe(part.bodyAt)
      const body = message.subarray(part.bodyAt, part.bodyAt + part.bodySize)
      const counts = part.kind === 'message' || part.content.type === 'TEXT'
      expect(part.bodyLines).toBe(counts ? body.filter((c) => c === 10).length : 0)
      let at = part.bodyAt
      for (const child of part.children) {
        expect(child.headerAt).toBeGreaterThanOrEqual(at)
        // A blank line that a delimiter follows ends a header and belongs to the delimiter too.
        expect(child.bodyAt + child.bodySize).toBeLessThanOrEqual(part.bodyAt + part.bodySize + (child.bodySize === 0 ? 2 : 0))
        at = child.bodyAt + child.bodySize
        check(child, message)
      }
    }
    fc.assert(
      fc.property(soup, (message) => {
        const root = scanOctets(message)
        expect(root.headerAt).toBe(0)
        expect(root.bodyAt + root.bodySize).toBe(message.length)
        check(root, message)
      }),
      { numRuns: 1500 },
    )
  })

  test('nesting ends at its limit, one past it is text', () => {
    const nest = (levels: number): Buffer => crlf('Content-Type: message/rfc822\n\n'.repeat(levels) + 'A: b\n\nx')
    const depth = (part: MimePart): number => (part.children[0] === undefined ? 0 : 1 + depth(part.children[0]))
    expect(depth(scanOctets(nest(MIME_LIMITS.depth)))).toBe(MIME_LIMITS.depth)
    const past = scanOctets(nest(MIME_LIMITS.depth + 1))
    expect(depth(past)).toBe(MIME_LIMITS.depth)
    let last = past
    while (last.children[0] !== undefined) last = last.children[0]
    expect([last.content.type, last.content.subtype]).toEqual(['TEXT', 'PLAIN'])
  })

  test('the number of parts ends at its limit, the rest is in the last one', () => {
    const one = '--B\r\n\r\nx\r\n'
    const head = 'Content-Type: multipart/mixed; boundary=B\r\n\r\n'
    // The root is a part too.
    const fits = MIME_LIMITS.parts - 1
    expect(scanOctets(bytes(head + one.repeat(fits))).children.length).toBe(fits)
    const past = scanOctets(bytes(`${head}${one.repeat(fits + 3)}--B--`))
    expect(past.children.length).toBe(fits)
    expect(past.children.at(-1)?.bodySize).toBe('x\r\n'.length + 3 * one.length + '--B--'.length)
  })

  test('a header past its limit still ends where it ends', () => {
    const long = `X: ${'y'.repeat(998)}\r\n`
    const header = `Subject: first\r\n${long.repeat(Math.ceil((MIME_LIMITS.headerOctets + 1000) / long.length))}Content-Type: image/gif\r\n\r\n`
    const message = bytes(`${header}body`)
    const scanner = new MimeScanner()
    for (let at = 0; at < message.length; at += 100_000) scanner.push(message.subarray(at, at + 100_000))
    const root = scanner.end()
    expect([root.headerSize, root.bodySize, root.content.type]).toEqual([header.length, 4, 'TEXT'])
    expect(scanOctets(message).headerSize).toBe(header.length)
  })

  test('lines too long for a delimiter are text', () => {
    const boundary = 'b'.repeat(MIME_LIMITS.delimiterLine - 4)
    const good = scanOctets(crlf(mixed(boundary, `--${boundary}\n\nx\n--${boundary}--`)))
    expect(good.children.map((part) => part.bodySize)).toEqual([1])
  })
})
