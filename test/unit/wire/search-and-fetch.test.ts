import { describe, expect, test } from 'vitest'
import { uids } from '../../../core/api/index.js'
import type { SearchTerm } from '../../../core/api/index.js'
import { LIMITS } from '../../../core/wire/limits.js'
import { OctetCursor } from '../../../core/wire/imap/cursor.js'
import { parseFetchItems, parsePartial, parseSection, sectionLabel } from '../../../core/wire/imap/fetch-items.js'
import { parseSearchCharset, parseSearchKeys } from '../../../core/wire/imap/search-program.js'

const over = (input: string): OctetCursor => new OctetCursor(Buffer.from(input, 'latin1'))
function parsed(input: string): SearchTerm {
  const c = over(input)
  const term = parseSearchKeys(c, {
    resolve: (set) => (set === 'saved' ? uids.none : uids.ranges(set.pairs)),
    decode: (b) => Buffer.from(b).toString('latin1'),
    extension: (name, at, nested) => (name === 'FUZZY' ? (at.space(), { kind: 'not', term: nested() }) : undefined),
  })
  c.end()
  return term
}
/** Terms in few words. */
function shown(t: SearchTerm): string {
  switch (t.kind) {
    case 'and':
    case 'or':
      return `${t.kind}(${t.terms.map(shown).join(' ')})`
    case 'not':
      return `not(${shown(t.term)})`
    case 'uids':
      return `uids ${[...t.set.ranges].join(':')}`
    default: {
      const { kind, ...rest } = t
      return `${kind} ${JSON.stringify(rest)}`
    }
  }
}

const programs = [
  { in: 'ALL', out: 'and()' },
  { in: 'unseen', out: 'not(flag {"system":1})' },
  { in: 'NEW', out: 'and(flag {"recent":true} not(flag {"system":1}))' },
  { in: 'OLD DRAFT', out: 'and(not(flag {"recent":true}) flag {"system":32})' },
  { in: 'ANSWERED DELETED FLAGGED UNANSWERED UNDELETED UNDRAFT UNFLAGGED', out: 'and(flag {"system":8} flag {"system":2} flag {"system":4} not(flag {"system":8}) not(flag {"system":2}) not(flag {"system":32}) not(flag {"system":4}))' },
  { in: 'KEYWORD $Work UNKEYWORD x', out: 'and(flag {"keyword":"$Work"} not(flag {"keyword":"x"}))' },
  { in: 'FROM alice CC "b c" BCC x TO {3}\r\nbob', out: 'and(text {"in":"addresses","field":"from","pattern":"alice","fuzzy":false} text {"in":"addresses","field":"cc","pattern":"b c","fuzzy":false} text {"in":"addresses","field":"bcc","pattern":"x","fuzzy":false} text {"in":"addresses","field":"to","pattern":"bob","fuzzy":false})' },
  { in: 'SUBJECT "" HEADER X-Y z', out: 'and(text {"in":{"header":"subject"},"pattern":"","fuzzy":false} text {"in":{"header":"X-Y"},"pattern":"z","fuzzy":false})' },
  { in: 'BODY a TEXT b', out: 'and(text {"in":"body","pattern":"a","fuzzy":false} text {"in":"text","pattern":"b","fuzzy":false})' },
  { in: 'BEFORE 2-Jan-1970 ON 2-Jan-1970 SINCE "2-Jan-1970"', out: 'and(day {"of":"internal","before":1} day {"of":"internal","from":1,"before":2} day {"of":"internal","from":1})' },
  { in: 'SENTBEFORE 2-Jan-1970 SENTON 2-Jan-1970 SENTSINCE 2-Jan-1970', out: 'and(day {"of":"sent","before":1} day {"of":"sent","from":1,"before":2} day {"of":"sent","from":1})' },
  { in: 'LARGER 10 SMALLER 20', out: 'and(size {"above":10} size {"below":20})' },
  { in: 'OR SEEN NOT OR 1 UID 2:3', out: 'or(flag {"system":1} not(or(uids 1:1 uids 2:3)))' },
  { in: '(SEEN (1,3:4)) 5:6', out: 'and(and(flag {"system":1} uids 1:1:3:4) uids 5:6)' },
  { in: 'FUZZY (SEEN)', out: 'not(flag {"system":1})' },
  { in: 'SEEN ', out: 'flag {"system":1}' },
]
describe('search programs (RFC 3501 §6.4.4)', () => {
  test.each(programs)('$in', ({ in: input, out }) => {
    expect(shown(parsed(input))).toBe(out)
  })
  test.each(['', 'BOGUS', 'NOT', 'OR SEEN', '()', '(SEEN', 'SEEN)', 'LARGER abc', 'FROM', 'ON 31-Feb-2024', 'SEEN,DRAFT', 'constructor', 'KEYWORD "x"', 'UID'])('refuses %j', (input) => {
    expect(() => parsed(input)).toThrow('expected')
  })
  test('500 levels, and 501', () => {
    const nots = (n: number): string => `${'NOT '.repeat(n - 1)}SEEN`
    expect(shown(parsed(nots(LIMITS.searchNesting)))).toMatch(/^not\(not\(/)
    expect(() => parsed(nots(LIMITS.searchNesting + 1))).toThrow('at most 500 levels')
    const lists = (n: number): string => '('.repeat(n - 1) + 'SEEN' + ')'.repeat(n - 1)
    expect(shown(parsed(lists(LIMITS.searchNesting)))).toBe('flag {"system":1}')
    expect(() => parsed(lists(LIMITS.searchNesting + 1))).toThrow('at most 500 levels')
  })
  test('a charset in front', () => {
    const c = over('charset utf-8 SEEN')
    expect([parseSearchCharset(c), c.peek()]).toEqual(['UTF-8', 0x53])
    expect(parseSearchCharset(over('SEEN'))).toBeUndefined()
  })
})

describe('items of a FETCH', () => {
  const names = (input: string): readonly string[] => {
    const c = over(input)
    const items = parseFetchItems(c, (name, at) => {
      if (at.peek() !== 0x5b) return name
      const label = Buffer.from(sectionLabel(parseSection(at))).toString('latin1')
      const part = parsePartial(at)
      return `${name}[${label}]${part === undefined ? '' : `<${part.from}.${part.count}>`}`
    })
    c.end()
    return items
  }
  test.each([
    { in: 'FAST', out: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'] },
    { in: 'all', out: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE'] },
    { in: 'FULL', out: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY'] },
    { in: 'uid', out: ['UID'] },
    { in: '(UID FLAGS)', out: ['UID', 'FLAGS'] },
    { in: 'BODY[]', out: ['BODY[]'] },
    { in: '(BODY.PEEK[1.2.mime]<0.100> BODY[TEXT])', out: ['BODY.PEEK[1.2.MIME]<0.100>', 'BODY[TEXT]'] },
    { in: 'BODY[header.fields (From "x y" {2}\r\nTo)]', out: ['BODY[HEADER.FIELDS (From "x y" To)]'] },
    { in: 'BODY[3.HEADER.FIELDS.NOT (a)]', out: ['BODY[3.HEADER.FIELDS.NOT (a)]'] },
    { in: 'BODY[1.HEADER]', out: ['BODY[1.HEADER]'] },
  ])('$in', ({ in: input, out }) => {
    expect(names(input)).toEqual(out)
  })
  test.each(['', '()', '(UID', 'BODY[', 'BODY[0]', 'BODY[MIME]', 'BODY[1.]', 'BODY[1.FOO]', 'BODY[HEADER.FIELDS]', 'BODY[HEADER.FIELDS ()]', 'BODY[]<0.0>', 'BODY[]<1>', 'BODY[HEADER.FIELDS ("a\0")]'])(
    'refuses %j',
    (input) => {
      expect(() => names(input)).toThrow('expected')
    },
  )
  test('BINARY knows part numbers alone (RFC 3516 §4.3)', () => {
    expect(parseSection(over('[1.2]'), { numeric: true })).toEqual({ part: [1, 2], what: 'all', decoded: true })
    expect(() => parseSection(over('[1.TEXT]'), { numeric: true })).toThrow('a part number')
  })
  test('100 items, and 101', () => {
    const list = (n: number): string => `(${Array.from({ length: n }, () => 'UID').join(' ')})`
    expect(names(list(LIMITS.fetchItems))).toHaveLength(100)
    expect(() => names(list(LIMITS.fetchItems + 1))).toThrow('at most 100 items')
  })
  test('500 field names, and 501; 100 part numbers, and 101', () => {
    const fields = (n: number): string => `BODY[HEADER.FIELDS (${Array.from({ length: n }, (_, i) => `f${i}`).join(' ')})]`
    expect(names(fields(500))).toHaveLength(1)
    expect(() => names(fields(501))).toThrow('at most 500 field names')
    const parts = (n: number): string => `BODY[${Array.from({ length: n }, () => '1').join('.')}]`
    expect(names(parts(100))).toHaveLength(1)
    expect(() => names(parts(101))).toThrow('at most 100 part numbers')
  })
})
