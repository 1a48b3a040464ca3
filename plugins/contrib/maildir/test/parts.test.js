import { describe, expect, test } from 'vitest'
import { dateOfTime, infoOf, parseName, sizesOf, timeOfDate } from '../lib/file-name.js'
import { folderNameOf, mailboxNameOf } from '../lib/names.js'
import { toCrlf } from '../lib/reading.js'
import { headText, lineText, parseUidList } from '../lib/uid-list.js'

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
    { base: '17.host,W=12', stored: undefined, size: 12 },
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
