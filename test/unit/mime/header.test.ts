import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FieldNames, eachField, filterHeader, headerEnd } from '../../../core/mime/header.js'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const header = bytes('Received: a\r\n\tb\r\nSubject: s\r\nTo : t\r\nX-Junk\r\nsubject: again\r\n\r\nbody: x\r\n')

const filters = [
  { name: 'named fields', names: ['SUBJECT'], not: false, expected: 'Subject: s\r\nsubject: again\r\n\r\n' },
  { name: 'folded fields whole', names: ['received'], not: false, expected: 'Received: a\r\n\tb\r\n\r\n' },
  { name: 'all but the named', names: ['received', 'subject'], not: true, expected: 'To : t\r\nX-Junk\r\n\r\n' },
  { name: 'a blank before the colon', names: ['TO'], not: false, expected: 'To : t\r\n\r\n' },
  { name: 'nothing found leaves the blank line', names: ['cc'], not: false, expected: '\r\n' },
  { name: 'a line without colon has no name', names: ['X-Junk'], not: false, expected: '\r\n' },
]

describe('header fields', () => {
  test.each(filters)('filter: $name (RFC 3501 §6.4.5)', ({ names, not, expected }) => {
    const size = headerEnd(header)
    expect(Buffer.from(filterHeader(header.subarray(0, size), new FieldNames(names), not)).toString('latin1')).toBe(expected)
  })
  test('a header without blank line keeps none', () => {
    expect(Buffer.from(filterHeader(bytes('A: 1\r\nB: 2\r\n'), ['a'], false)).toString()).toBe('A: 1\r\n')
    expect(filterHeader(bytes('A: 1'), ['b'], false).length).toBe(0)
  })
  test.each([
    { name: 'CRLF', text: 'A: 1\r\n\r\nb', expected: 8 },
    { name: 'LF', text: 'A: 1\n\nb', expected: 6 },
    { name: 'mixed', text: 'A: 1\r\n\nb', expected: 7 },
    { name: 'at once', text: '\r\nb', expected: 2 },
    { name: 'never', text: 'A: 1\r\n', expected: 6 },
    { name: 'bare CR is text', text: 'A: 1\r\rB\n\nx', expected: 9 },
    { name: 'a blank line of white space is none', text: 'A: 1\r\n \r\n\r\nb', expected: 11 },
    { name: 'empty', text: '', expected: 0 },
  ])('end: $name', ({ text, expected }) => {
    expect(headerEnd(bytes(text))).toBe(expected)
    expect(eachField(bytes(text), 0, text.length, () => {})).toBe(expected)
  })
  test('are found as by looking at one octet after the other', () => {
    const soup = fc
      .array(fc.constantFrom('\r', '\n', '\r\n', '\r\n\r\n', ' ', '\t', ':', 'a', 'Subject: s', '\xe9', '\0', 'b c', '\n '), { maxLength: 30 })
      .map((pieces) => bytes(pieces.join('')))
    fc.assert(
      fc.property(soup, fc.nat(5), (octets, from) => {
        const found: number[][] = []
        const end = eachField(octets, from, octets.length, (...field) => found.push(field))
        expect([found, end]).toEqual(plainly(octets, from))
        expect(headerEnd(octets, from)).toBe(plainEnd(octets, from))
      }),
      { numRuns: 2000 },
    )
  })
})

/** Fields and the end of a header, by the grammar alone. */
function plainly(octets: Buffer, from: number): readonly [fields: number[][], end: number] {
  const lines = linesOf(octets, from)
  const fields: number[][] = []
  while (lines.length > 0) {
    const { at, end } = lines.shift()!
    const text = octets.toString('latin1', at, end)
    if (/^\r?\n$/.test(text)) return [fields, end]
    let last = end
    while (lines.length > 0 && /^[ \t]/.test(octets.toString('latin1', lines[0]!.at, lines[0]!.end))) last = lines.shift()!.end
    const name = /^([^:\n \t]+)[ \t]*:/.exec(text)
    fields.push(name === null ? [at, -1, at, last] : [at, at + name[1]!.length, at + name[0].length, last])
  }
  return [fields, Math.max(from, octets.length)]
}
function plainEnd(octets: Buffer, from: number): number {
  return linesOf(octets, from).find(({ at, end }) => /^\r?\n$/.test(octets.toString('latin1', at, end)))?.end ?? octets.length
}
function linesOf(octets: Buffer, from: number): { readonly at: number; readonly end: number }[] {
  const lines = []
  for (let at = from; at < octets.length; ) {
    const lf = octets.indexOf(0x0a, at)
    const end = lf === -1 ? octets.length : lf + 1
    lines.push({ at, end })
    at = end
  }
  return lines
}
