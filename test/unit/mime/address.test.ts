import { describe, expect, test } from 'vitest'
import { parseAddresses } from '../../../core/mime/address.js'

const SYNTAX = '.SYNTAX-ERROR.'
const NO_HOST = '.MISSING-HOST-NAME.'
const nil = undefined
/** personal, route, mailbox, host */
type Row = readonly [string | undefined, string | undefined, string | undefined, string | undefined]
const groupEnd: Row = [nil, nil, nil, nil]

const rows: { name: string; text: string; expected: Row[] }[] = [
  { name: 'empty', text: '', expected: [] },
  { name: 'blank', text: '   ', expected: [] },
  { name: 'bare', text: 'alice@example.org', expected: [[nil, nil, 'alice', 'example.org']] },
  { name: 'display name', text: 'Alice Archer <alice@example.org>', expected: [['Alice Archer', nil, 'alice', 'example.org']] },
  { name: 'quoted name with comma and quote', text: '"Archer, \\"Al\\" A." <alice@example.org>', expected: [['Archer, "Al" A.', nil, 'alice', 'example.org']] },
  { name: 'name of dots', text: 'J.R. Smith <j@e>', expected: [['J.R. Smith', nil, 'j', 'e']] },
  { name: 'quoted and bare words', text: '"A" B <j@e>', expected: [['A B', nil, 'j', 'e']] },
  { name: 'angle alone', text: '<alice@example.org>', expected: [[nil, nil, 'alice', 'example.org']] },
  { name: 'comment is the name', text: 'alice@example.org (Alice (the) Archer)', expected: [['Alice (the) Archer', nil, 'alice', 'example.org']] },
  { name: 'first comment only', text: 'a@b (c1) (c2)', expected: [['c1', nil, 'a', 'b']] },
  { name: 'comment behind an angle', text: '<a@b> (Al)', expected: [['Al', nil, 'a', 'b']] },
  { name: 'name beats comment', text: 'Al <a@b> (x)', expected: [['Al', nil, 'a', 'b']] },
  { name: 'encoded word stays raw', text: '=?utf-8?q?J=C3=B6rg?= <j@e>', expected: [['=?utf-8?q?J=C3=B6rg?=', nil, 'j', 'e']] },
  { name: 'eight bits', text: 'J\xc3\xb6rg <j@e>', expected: [['J\xc3\xb6rg', nil, 'j', 'e']] },
  { name: 'route', text: '<@a.b,@c.d:joe@x.y>', expected: [[nil, '@a.b,@c.d', 'joe', 'x.y']] },
  { name: 'route with obsolete commas', text: '<@a.b,,@c.d : joe@x.y>', expected: [[nil, '@a.b,@c.d', 'joe', 'x.y']] },
  { name: 'spaces around dots and at', text: 'a . b @ c . d', expected: [[nil, nil, 'a.b', 'c.d']] },
  { name: 'odd dots', text: 'a..b@c, .a@d', expected: [[nil, nil, 'a..b', 'c'], [nil, nil, '.a', 'd']] },
  { name: 'quoted local part', text: '"john doe"@x', expected: [[nil, nil, 'john doe', 'x']] },
  { name: 'literal host', text: 'foo@[192.0.2.1]', expected: [[nil, nil, 'foo', '[192.0.2.1]']] },
  { name: 'old at', text: 'user at host', expected: [[nil, nil, 'user', 'host']] },
  { name: 'uucp', text: 'fred@host!more', expected: [[nil, nil, 'fred', 'host!more']] },
  { name: 'no host', text: 'fred', expected: [[nil, nil, 'fred', NO_HOST]] },
  { name: 'two', text: 'a@b, C <c@d>', expected: [[nil, nil, 'a', 'b'], ['C', nil, 'c', 'd']] },
  { name: 'trailing comma', text: 'a@b,', expected: [[nil, nil, 'a', 'b']] },
  { name: 'empty items (RFC 5322 §4.4)', text: ', a@b, , c@d', expected: [[nil, nil, 'a', 'b'], [nil, nil, 'c', 'd']] },
  { name: 'group', text: 'G: a@b, c@d;', expected: [[nil, nil, 'G', nil], [nil, nil, 'a', 'b'], [nil, nil, 'c', 'd'], groupEnd] },
  { name: 'empty group', text: 'Undisclosed recipients:;', expected: [[nil, nil, 'Undisclosed recipients', nil], groupEnd] },
  { name: 'group and more', text: 'G:a@b;, c@d', expected: [[nil, nil, 'G', nil], [nil, nil, 'a', 'b'], groupEnd, [nil, nil, 'c', 'd']] },
  { name: 'open group', text: 'G: a@b', expected: [[nil, nil, 'G', nil], [nil, nil, 'a', 'b'], groupEnd] },
  { name: 'groups in groups', text: 'G: H: a@b;;', expected: [[nil, nil, 'G', nil], [nil, nil, 'H', nil], [nil, nil, 'a', 'b'], groupEnd, groupEnd] },
  { name: 'error in a group', text: 'G: <>;, c@d', expected: [[nil, nil, 'G', nil], [nil, nil, 'INVALID_ADDRESS_IN_GROUP', SYNTAX], groupEnd] },
  { name: 'empty angle', text: '<>', expected: [[nil, nil, 'INVALID_ADDRESS', SYNTAX]] },
  { name: 'at alone', text: '@', expected: [[nil, nil, 'INVALID_ADDRESS', SYNTAX]] },
  { name: 'unbalanced quote', text: '"alice <a@b>', expected: [[nil, nil, 'INVALID_ADDRESS', SYNTAX]] },
  { name: 'missing comma', text: 'a@b c@d, x@y', expected: [[nil, nil, 'a', 'b'], [nil, nil, 'UNEXPECTED_DATA_AFTER_ADDRESS', SYNTAX]] },
  { name: 'semicolon', text: 'a@b;', expected: [[nil, nil, 'a', 'b'], [nil, nil, 'UNEXPECTED_DATA_AFTER_ADDRESS', SYNTAX]] },
  { name: 'address before an angle', text: 'a@b <c@d>', expected: [[nil, nil, 'a', 'b'], [nil, nil, 'UNEXPECTED_DATA_AFTER_ADDRESS', SYNTAX]] },
  { name: 'open angle', text: 'Fred <fred@h', expected: [['Fred', nil, 'fred', 'h'], [nil, nil, 'MISSING_MAILBOX_TERMINATOR', SYNTAX]] },
  { name: 'no host behind at', text: 'foo@', expected: [[nil, nil, 'foo', SYNTAX]] },
  { name: 'open literal', text: 'foo@[1.2.3.4', expected: [[nil, nil, 'foo', SYNTAX]] },
  { name: 'open comment', text: 'a@b (never', expected: [['never', nil, 'a', 'b']] },
  { name: 'ISO-2022-JP phrase with specials in it', text: '\x1b$B<>,\x1b(B <j@e>', expected: [['\x1b$B<>,\x1b(B', nil, 'j', 'e']] },
]

describe('address lists', () => {
  test.each(rows)('$name', ({ text, expected }) => {
    expect(parseAddresses(text).map((a) => [a.personal, a.route, a.mailbox, a.host])).toEqual(expected)
  })
  test('groups nest fifty deep and no deeper', () => {
    expect(parseAddresses('g:'.repeat(50)).length).toBe(100)
    const deeper = parseAddresses('g:'.repeat(51))
    expect(deeper.filter((a) => a.host === undefined && a.mailbox !== undefined).length).toBe(50)
  })
  test('hostile fields cost time in proportion to their length', () => {
    for (const text of ['('.repeat(200_000), '"'.repeat(100_001), '<'.repeat(100_000), 'a:'.repeat(100_000), 'a,'.repeat(100_000), '\\'.repeat(100_000)]) {
      expect(parseAddresses(text)).toBeInstanceOf(Array)
    }
  })
})
