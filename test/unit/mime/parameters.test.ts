import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FieldReader, plainParameters } from '../../../core/mime/parameters.js'

const soup = fc
  .array(fc.constantFrom(';', '; ', '=', '"', '""', '\\', ' ', '\t', '(', ')', 'charset', 'name*0*', 'utf-8', "utf-8''a%20b", '=_b.1', '"a b"', '"a;b"', '"a\\"b"', '; charset=utf-8', '; name="x y"', '\xe9'), { maxLength: 12 })
  .map((pieces) => pieces.join(''))

describe('parameters of the plainest form', () => {
  test.each([
    { text: 'text/plain; charset=utf-8', expected: [{ name: 'CHARSET', value: 'utf-8' }] },
    { text: 'text/plain;charset="a b";Format=flowed', expected: [{ name: 'CHARSET', value: 'a b' }, { name: 'FORMAT', value: 'flowed' }] },
    { text: 'text/plain', expected: [] },
    { text: 'text/plain; charset=', expected: undefined },
    { text: String.raw`text/plain; name="a\"b"`, expected: undefined },
    { text: 'text/plain; name=my file', expected: undefined },
    { text: `text/plain${'; a=b'.repeat(201)}`, expected: undefined },
  ])('$text', ({ text, expected }) => {
    expect(plainParameters(text, 'text/plain'.length)).toEqual(expected)
  })
  test('are what the reader finds (RFC 2045 §5.1)', () => {
    let plain = 0
    fc.assert(
      fc.property(soup, (text) => {
        const found = plainParameters(text, 0)
        if (found === undefined) return
        plain++
        expect(found).toEqual(new FieldReader(text).parameters())
      }),
      { numRuns: 20_000 },
    )
    expect(plain).toBeGreaterThan(500)
  })
})
