import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Base64Decoder, QuotedPrintableDecoder, decodeTransfer } from '../../../core/mime/transfer.js'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const decoded = (text: string, encoding: string): string | undefined => {
  const out = decodeTransfer(bytes(text), encoding)
  return out === undefined ? undefined : Buffer.from(out).toString('latin1')
}

describe('transfer encodings', () => {
  test.each([
    ['aGVsbG8=', 'hello'], ['aGVs\r\nbG8=\r\n', 'hello'], ['aGVsbG8', 'hello'], ['aA==', 'h'], ['aA', 'h'], ['', ''],
    ['aA==junk', 'h'], ['!!!! hello', undefined], ['a', ''], ['a===', undefined],
  ])('base64 %j', (text, expected) => {
    expect(decoded(text, 'BASE64')).toBe(expected)
  })
  test.each([
    ['caf=E9', 'caf\xe9'], ['caf=e9', 'caf\xe9'], ['a=\r\nb', 'ab'], ['a=  \r\nb', 'ab'], ['a=\nb', 'ab'], ['a  \r\nb', 'a\r\nb'], ['a  b', 'a  b'],
    ['a=ZZb', 'a=ZZb'], ['a=4', 'a=4'], ['a=', 'a'], ['a= ', 'a'], ['a ', 'a '], ['=3D=', '='],
  ])('quoted-printable %j', (text, expected) => {
    expect(decoded(text, 'QUOTED-PRINTABLE')).toBe(expected)
  })
  test('others stand for themselves', () => {
    expect(decoded('a=41', '8BIT')).toBe('a=41')
    expect(decoded('a=41', 'X-UUE')).toBe('a=41')
  })
  test('pieces of any size give the same octets', () => {
    const alphabet = fc.array(fc.constantFrom('=', '=4', '1', 'A', ' ', '\t', '\r', '\n', '\r\n', '=\r\n', '==', 'xyz'), { maxLength: 30 })
    fc.assert(
      fc.property(alphabet, fc.integer({ min: 1, max: 5 }), (pieces, size) => {
        const input = bytes(pieces.join(''))
        for (const make of [() => new QuotedPrintableDecoder(), () => new Base64Decoder()]) {
          const whole = make()
          const once = Buffer.concat([new Uint8Array(whole.push(input)), whole.end()])
          const cut = make()
          const out: Buffer[] = []
          for (let at = 0; at < input.length; at += size) out.push(Buffer.from(cut.push(Buffer.from(input.subarray(at, at + size)))))
          out.push(Buffer.from(cut.end()))
          expect(Buffer.concat(out).toString('latin1')).toBe(once.toString('latin1'))
        }
      }),
      { numRuns: 1000 },
    )
  })
})
