import { describe, expect, test } from 'vitest'
import { MailboxNameFailure, SyntaxFailure } from '../../../core/api/index.js'
import { LIMITS } from '../../../core/wire/limits.js'
import { OctetCursor } from '../../../core/wire/imap/cursor.js'

const text = (b: Uint8Array | undefined): string | undefined => (b === undefined ? undefined : Buffer.from(b).toString('latin1'))
const over = (input: string, mode?: { utf8: boolean; rev2: boolean }): OctetCursor => new OctetCursor(Buffer.from(input, 'latin1'), mode)
function failureOf(run: () => unknown): { position: number; expected: string } {
  try {
    run()
  } catch (failure) {
    if (failure instanceof SyntaxFailure) return { position: failure.position, expected: failure.expected }
    throw failure
  }
  throw new Error('nothing was refused')
}

const strings = [
  { name: 'an atom', in: 'INBOX rest', out: 'INBOX', at: 5 },
  { name: 'an atom may hold ]', in: 'a]b', out: 'a]b', at: 3 },
  { name: 'a quoted string', in: '"a b" x', out: 'a b', at: 5 },
  { name: 'an empty quoted string', in: '""', out: '', at: 2 },
  { name: 'escapes', in: String.raw`"a\"b\\c"`, out: String.raw`a"b\c`, at: 9 },
  { name: 'a literal', in: '{5}\r\na\r\nb" x', out: 'a\r\nb"', at: 10 },
  { name: 'a non-synchronising literal after a lone LF', in: '{3+}\nabc)', out: 'abc', at: 8 },
  { name: 'an empty literal', in: '{0}\r\n', out: '', at: 5 },
]
describe('strings', () => {
  test.each(strings)('$name', ({ in: input, out, at }) => {
    const c = over(input)
    expect([text(c.astring()), c.position]).toEqual([out, at])
  })
  const refused = [
    { name: 'nothing', in: '', at: 0 },
    { name: 'a parenthesis', in: '(', at: 0 },
    { name: 'a wildcard', in: '*', at: 0 },
    { name: 'an 8-bit octet', in: '\xe9', at: 0 },
    { name: 'a quoted string without an end', in: '"abc', at: 4 },
    { name: 'an escape of something else', in: String.raw`"a\nb"`, at: 2 },
    { name: 'NUL in a quoted string', in: '"a\0"', at: 2 },
    { name: '8 bits in a quoted string', in: '"a\xe9"', at: 2 },
    { name: 'a literal that is shorter than it says', in: '{5}\r\nabc', at: 0 },
    { name: 'a literal without a size', in: '{}\r\n', at: 0 },
    { name: 'a literal without a line end', in: '{3}abc', at: 0 },
  ]
  test.each(refused)('refuses $name', ({ in: input, at }) => {
    expect(failureOf(() => over(input).astring()).position).toBe(at)
  })
  test('what is read is the caller’s own', () => {
    const octets = Buffer.from('"secret"')
    const read = new OctetCursor(octets).astring()
    octets.fill(0)
    expect(text(read)).toBe('secret')
  })
  test('NIL is nothing, NILS and "NIL" are something', () => {
    expect(over('nil').nstring()).toBeUndefined()
    expect(text(over('"NIL"').nstring())).toBe('NIL')
    expect(failureOf(() => over('NILS').nstring()).position).toBe(0)
  })
  test('UTF-8 in quoted strings once it is enabled (RFC 6855 §3)', () => {
    expect(text(over('"\xc3\xa9"', { utf8: true, rev2: false }).astring())).toBe('\xc3\xa9')
  })
})

describe('words and ends', () => {
  test('a word is not the beginning of another', () => {
    expect(over('CHARSETS x').tryWord('CHARSET')).toBe(false)
    const c = over('charset x')
    expect([c.tryWord('CHARSET'), c.position]).toEqual([true, 7])
  })
  test('spaces before the end are no argument, anything else is', () => {
    over('  ').end()
    expect(failureOf(() => over(' x').end())).toEqual({ position: 1, expected: 'the end of the command' })
  })
  test('a tab is no space', () => {
    expect(failureOf(() => over('\tx').space()).position).toBe(0)
  })
  test('names end before what is given', () => {
    expect(over('body.peek[1]').nameUpTo('[')).toBe('BODY.PEEK')
  })
})

describe('numbers and sets', () => {
  test('a number of 32 bits, and one more', () => {
    expect(over('4294967295').number()).toBe(4294967295)
    expect(failureOf(() => over('4294967296').number()).expected).toBe('a number below 4294967296')
  })
  test('larger numbers are cut, not wrong', () => {
    expect(over('9223372036854775807').largeNumber()).toBe(Number.MAX_SAFE_INTEGER)
    expect(over('624140003 x').largeNumber()).toBe(624140003)
  })
  const sets = [
    { in: '1', out: [1, 1] },
    { in: '5:2,7,*', out: [5, 2, 7, 7, 0xffffffff, 0xffffffff] },
    { in: '1:*', out: [1, 0xffffffff] },
    { in: '4294967295', out: [4294967294, 4294967294] },
  ]
  test.each(sets)('$in', ({ in: input, out }) => {
    const set = over(input).set()
    expect(set === 'saved' ? set : [...set.pairs]).toEqual(out)
  })
  test('$ is the saved result', () => {
    expect(over('$ ').set()).toBe('saved')
  })
  test.each(['0', '1:0', '', ',1', '1,', '1:', 'x', '4294967296'])('refuses %j', (input) => {
    expect(() => over(input).set()).toThrow(SyntaxFailure)
  })
  test(`as many ranges as allowed, and one more`, () => {
    const list = (n: number): string => Array.from({ length: n }, (_, i) => i + 1).join(',')
    const set = over(list(LIMITS.sequenceRanges)).set()
    expect(set === 'saved' ? 0 : set.pairs.length).toBe(LIMITS.sequenceRanges * 2)
    expect(() => over(list(LIMITS.sequenceRanges + 1)).set()).toThrow('at most 16384 ranges')
  })
})

describe('mailbox names', () => {
  test('are decoded, and INBOX has no case', () => {
    expect(over('"&AOk-t&AOk-"').mailbox()).toBe('été')
    expect(over('inBox').mailbox()).toBe('INBOX')
    expect(over('inBox/x').mailbox()).toBe('inBox/x')
    expect(over('"\xc3\xa9"', { utf8: true, rev2: false }).mailbox()).toBe('é')
  })
  test.each([
    ['{1}\r\n\xe9', 'mailbox name with 8-bit octet'],
    ['a&AOk', 'unterminated modified UTF-7 name'],
    ['a&AOk.-', 'invalid modified UTF-7 name'],
    ['{3}\r\na\nb', 'mailbox name with control character'],
  ])('%j is %s', (input, reason) => {
    const failure = (() => {
      try {
        return over(input).mailbox()
      } catch (e) {
        return e
      }
    })()
    expect(failure).toBeInstanceOf(MailboxNameFailure)
    expect((failure as MailboxNameFailure).reason).toBe(reason)
  })
  test('the longest name, and one octet more', () => {
    expect(over('n'.repeat(712)).mailbox()).toHaveLength(712)
    expect(() => over('n'.repeat(713)).mailbox()).toThrow(MailboxNameFailure)
  })
  test('patterns keep wildcards, decode what is well formed, and take 8-bit octets', () => {
    expect(over('mail/*%').pattern()).toBe('mail/*%')
    expect(over('"&AOk-*"').pattern()).toBe('é*')
    expect(over('a&b*').pattern()).toBe('a&b*')
    expect(over('\xc3\xa9%').pattern()).toBe('é%')
  })
})

describe('lists', () => {
  test('empty, one, several, and a blank before the end', () => {
    const read = (input: string): readonly string[] => over(input).list((c) => c.atom())
    expect([read('()'), read('(a)'), read('(a b)'), read('(a b )')]).toEqual([[], ['a'], ['a', 'b'], ['a', 'b']])
  })
  test('50 levels, and 51', () => {
    const nested = (depth: number): unknown => {
      const c = over('('.repeat(depth) + 'x' + ')'.repeat(depth))
      const one = (): unknown => (c.peek() === 0x28 ? c.list(one) : c.atom())
      return one()
    }
    nested(LIMITS.listNesting)
    expect(() => nested(LIMITS.listNesting + 1)).toThrow('at most 50 levels')
  })
  test('flags: system bits, keywords once in their first spelling, foreign system flags passed over', () => {
    expect(over(String.raw`(\Seen \DELETED $Label1 $label1 \Recent \X)`).flags()).toEqual({ system: 3, keywords: ['$Label1'] })
    expect(over(String.raw`\Seen Work`).flags(true)).toEqual({ system: 1, keywords: ['Work'] })
    expect(over('()').flags()).toEqual({ system: 0, keywords: [] })
    expect(() => over(String.raw`\Seen`).flags()).toThrow(SyntaxFailure)
  })
  test('500 flags, and 501', () => {
    const flags = (n: number): string => `(${Array.from({ length: n }, (_, i) => `k${i}`).join(' ')})`
    expect(over(flags(500)).flags().keywords).toHaveLength(500)
    expect(() => over(flags(501)).flags()).toThrow('at most 500 flags')
  })
})

describe('dates', () => {
  test('of a search and of an append', () => {
    expect(over('1-Feb-1994').date()).toBe(8797)
    expect(over('" 1-feb-94"').date()).toBe(8797)
    expect(over('"17-Jul-1996 02:44:25 -0700"').dateTime()).toEqual({ ms: Date.UTC(1996, 6, 17, 9, 44, 25), zone: -420 })
  })
  test.each(['31-Feb-1994', '1-Foo-1994', '0-Jan-1994', '1994-02-01'])('refuses %s', (input) => {
    expect(() => over(input).date()).toThrow('a date such as')
  })
})
