import { uids } from 'mailwright/api'
import { describe, expect, test } from 'vitest'
import { rowsOf } from '../lib/columns.js'
import { dateOfTime, infoOf, parseName, sizesOf, timeOfDate } from '../lib/file-name.js'
import { NameDigest } from '../lib/name-digest.js'
import { folderNameOf, mailboxNameOf } from '../lib/names.js'
import { toCrlf } from '../lib/reading.js'
import { headText, lineOf, lineText, parseEnds, parseLines, parseUidList } from '../lib/uid-list.js'

describe('names of mailboxes and folders', () => {
  test.each([
    { path: 'lists', folder: '.lists' },
    { path: 'lists/work', folder: '.lists.work' },
    { path: 'Entwürfe', folder: '.Entw&APw-rfe' },
    { path: 'R&D', folder: '.R&-D' },
  ])('$path is $folder', ({ path, folder }) => {
    expect(folderNameOf(path, '/')).toBe(folder)
    expect(mailboxNameOf(folder, '/')).toBe(path)
  })
  test.each(['', 'a//b', '/a', 'a/', 'a.b', '..', '../x', '.', '~', '~bob/x', 'a\0b', 'x'.repeat(256)])('%j has no folder', (path) => {
    expect(() => folderNameOf(path, '/')).toThrow(/invalid|too long/)
  })
  test('with dots between parts a slash is no part of a name', () => {
    expect(folderNameOf('a.b', '.')).toBe('.a.b')
    expect(() => folderNameOf('a/b', '.')).toThrow(/invalid/)
  })
  test.each(['..removed', 'cur', '.', '.a..b', '.a\nb'])('the folder %j is no mailbox', (folder) => expect(mailboxNameOf(folder, '/')).toBeUndefined())
})

describe('names of files', () => {
  test.each([
    { name: '17.M1P2.host,S=10,W=12:2,DFRSTab', keywords: 3, other: '' },
    { name: '17.host:2,', keywords: 0, other: '' },
    { name: '17.host:2,PSz', keywords: 1 << 25, other: 'P' },
  ])('$name is written again as it was read', ({ name, keywords, other }) => {
    const parsed = parseName(name)
    expect([parsed.keywords, parsed.other]).toEqual([keywords, other])
    expect(parsed.base + infoOf(parsed)).toBe(name)
  })
  test('a name without flags, and one with flags of another kind, have none', () => {
    expect(parseName('17.host')).toEqual({ base: '17.host', info: '', system: 0, keywords: 0, other: '' })
    expect(parseName('17.host:1,S')).toMatchObject({ base: '17.host', system: 0, keywords: 0 })
  })
  test.each([
    { base: '17.host,S=10,W=12', stored: 10, size: 12 },
    { base: '17.host,W=12', stored: undefined, size: undefined },
    { base: '17.host,S=10,W=21', stored: 10, size: undefined },
    { base: '17.host,S=x', stored: undefined, size: undefined },
  ])('sizes in $base', ({ base, ...sizes }) => expect(sizesOf(base)).toEqual(sizes))
  test.each([0, 60, -300, 345, 720, -720])('a date %d minutes east is kept in a time of modification', (zone) => {
    expect(dateOfTime(timeOfDate({ ms: 1_500_000_000_789, zone }))).toEqual({ ms: 1_500_000_000_000, zone })
  })
})

describe('dovecot-uidlist', () => {
  const head = headText({ validity: 1275660208, next: 3, guid: 'ab', others: [] })
  test('is read as it was written; what was appended counts for the next uid', () => {
    expect(head).toBe('3 V1275660208 N3 Gab\n')
    const list = parseUidList(head + lineText(1, '1.a,S=3') + lineText(2, '2.b', 'W77 P3 ') + lineText(9, '9.c'))
    expect(list).toEqual({ validity: 1275660208, next: 10, last: 9, guid: 'ab', others: [], uids: new Map([['1.a,S=3', 1], ['2.b', 2], ['9.c', 9]]), sizes: new Map([['2.b', 77]]), more: new Map([['2.b', 'W77 P3 ']]), whole: true })
  })
  test('flags behind names are no part of them, and unknown fields are passed over', () => {
    expect(parseUidList('3 V5 X9 N25018\n25006 :1.a:2,\n25017 W2481 P3 :2.b:2,F\n')?.uids).toEqual(new Map([['1.a', 25006], ['2.b', 25017]]))
  })
  test("Courier's form is read, and not appended to", () => {
    expect(parseUidList('1 1275660208 4\n1 1.a\n3 2.b\n')).toMatchObject({ validity: 1275660208, next: 4, uids: new Map([['1.a', 1], ['2.b', 3]]), whole: false })
  })
  test.each([
    { name: 'an unfinished line', text: `${head}1 :1.a\n2 :2`, uids: [['1.a', 1]], whole: false },
    { name: 'octets that a crash left', text: `${head}1 :1.a\n\0\0\0`, uids: [['1.a', 1]], whole: false },
    { name: 'a number that does not ascend', text: `${head}5 :1.a\n5 :2.b\n`, uids: [['1.a', 5]], whole: true },
    { name: 'a line without a name', text: `${head}5\nx :y\n`, uids: [], whole: true },
  ])('$name is nothing', ({ text, uids, whole }) => expect(parseUidList(text)).toMatchObject({ uids: new Map(uids), whole }))
  test.each(['', 'x', '3 V5 N1', '3 N1\n', '3 V0 N1\n', '2 V5 N1\n', '\0\0\0\n'])('%j is no list', (text) => expect(parseUidList(text)).toBeUndefined())
})

test.each([
  { from: 'a\nb\r\n\n', to: 'a\r\nb\r\n\r\n' },
  { from: '\r\r\n', to: '\r\r\n' },
  { from: '', to: '' },
])('$from gets CRLF', ({ from, to }) => {
  const into = Buffer.alloc(2 * from.length)
  expect(into.toString('latin1', 0, toCrlf(Buffer.from(from), into, 0))).toBe(to)
})

describe('the ends of dovecot-uidlist', () => {
  const head = headText({ validity: 7, next: 3, guid: 'ab', others: [] })
  test('say the next number without what is between them', () => {
    expect(parseEnds(head, `7 :half\n8 :1.a\n9 W5 :2.b\n`)).toEqual({ validity: 7, next: 10, last: 9, whole: true })
    expect(parseEnds(headText({ validity: 7, next: 20, guid: '', others: [] }), '\n9 :2.b\n')).toMatchObject({ next: 20, last: 9 })
  })
  test.each([
    { name: 'an unfinished line', head, tail: '\n8 :1.a\n9 :2' },
    { name: 'a line that says nothing', head, tail: '\n8 :1.a\nx\n' },
    { name: 'numbers that do not ascend', head, tail: '\n9 :1.a\n8 :2.b\n' },
    { name: 'no line', head, tail: head },
    { name: "Courier's form", head: '1 7 3\n', tail: '\n1 1.a\n' },
    { name: 'no list', head: 'x\n', tail: '\n9 :1.a\n' },
  ])('$name: all of it is to be read', ({ head: first, tail }) => expect(parseEnds(first, tail)).toBeUndefined())
  test('the end of a line is told in octets, whatever characters are before it', () => {
    const text = `${head}1 :ä\n12 :2.b\n`
    expect([0, 1, 12, 2].map((uid) => lineOf(text, uid))).toEqual([
      { from: head.length, line: head },
      { from: head.length + 6, line: '1 :ä\n' },
      { from: head.length + 6 + 8, line: '12 :2.b\n' },
      { from: undefined, line: undefined },
    ])
  })
  test('lines that say nothing are told', () => expect([parseLines('1 :a\n2 :b\n').sound, parseLines('1 :a\n1 :b\n').sound]).toEqual([true, false]))
})

test.each([
  { name: 'some', set: uids.from([4, 9]), rows: [1, 3] },
  { name: 'more than there are', set: uids.all, rows: [0, 1, 2, 3] },
  { name: 'between and behind', set: uids.from([5, 6, 10, 11]), rows: [] },
  { name: 'none', set: uids.none, rows: [] },
])('rows of $name are found', ({ set, rows }) => expect([...rowsOf({ uid: Uint32Array.of(2, 4, 8, 9, 10), length: 4 }, set)]).toEqual(rows))

test('a digest of names is the same in any order, and another when one name is', () => {
  const digestOf = (names) => {
    const digest = new NameDigest()
    for (const name of names) digest.add(name)
    return digest.value
  }
  const names = Array.from({ length: 5000 }, (_, n) => `cur/${1_700_000_000 + n}.x${n}.host:2,S`)
  const all = digestOf(names)
  expect(digestOf(names.toReversed())).toBe(all)
  const others = names.slice(0, 200).flatMap((name, n) => [`${name}F`, name.replace('2,S', '2,'), name.replace('cur/', 'new/'), name.replace('x', 'y')].map((other) => digestOf(names.with(n, other))))
  expect(new Set([...others, digestOf(names.slice(1)), all]).size).toBe(802)
})
