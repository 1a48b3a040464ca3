import { describe, expect, test } from 'vitest'
import type { SearchTerm } from '../../../../core/api/index.js'
import { address, body, find, header, utf8, whole } from './fixture.js'
import type { FakeMessage } from './fixture.js'

const part = (type: string, content: string, encoding = '8bit'): string => `--B\nContent-Type: ${type}\nContent-Transfer-Encoding: ${encoding}\nContent-Description: described\n\n${content}\n`
const MIME = 'MIME-Version: 1.0\n'
/** The messages of which `spec/search-sort-thread.md` §2.5 tells what finds them. */
const messages: FakeMessage[] = [
  { text: 'Subject: plain\nFrom: Fred Bloggs <fred@example.com>\nTo: My Group: x1@y, z@w;\n\nhello\n' },
  { text: `${MIME}Subject: =?iso-8859-1?q?caf=E9?= au lait\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 stra=DFe so=\nft\n` },
  { text: `Subject: ${utf8('café 日本')}\n\n${utf8('café 日本 lower')}\n` },
  { text: `${MIME}Subject: x-foo\nContent-Type: text/plain; charset=x-foo\n\nlower UPPER \xe9\xff\n` },
  {
    text:
      `${MIME}Subject: multi\nX-Multi: one\nX-Multi: two\nX-Empty:\nContent-Type: multipart/mixed; boundary=B\n\npreambletext\n` +
      part('text/html', '<b>htmlsource</b>') +
      part('application/octet-stream; name="attached.bin"', 'octetsecret') +
      part('application/octet-stream', Buffer.from('octetcoded').toString('base64'), 'base64') +
      part('message/rfc822', 'Subject: innersubject\nFrom: inner@example.org\n\ninnerbody') +
      part('text/plain; charset=iso-2022-jp', '\x1b$B\x46\x7c\x4b\x5c\x1b(B jisplain') +
      part('text/plain', '!!!! hello', 'base64') +
      '--B--\nepiloguetext\n',
  },
  { text: `${MIME}Subject: b64\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n${Buffer.from('日本語 Fullwidth ＡＢ').toString('base64')}\n` },
  { text: `${MIME}Subject: folded\n subject line\nContent-Type: text/plain; charset=utf-8\n\n${utf8('oﬃce straße ǆ ÀÉÎ İstanbul 한글 ﬁn ½ ① Ⅳ')}\n` },
  { text: `${MIME}Subject: sjis\nContent-Type: text/plain; charset=shift_jis\n\n\x93\xfa\x83\x41 ascii\n` },
]

const rows: { name: string; term: SearchTerm; expected: number[] }[] = [
  { name: 'SUBJECT cafe finds the letter with a mark', term: header('subject', 'cafe'), expected: [2, 3] },
  { name: 'SUBJECT CAFÉ', term: header('subject', 'CAFÉ'), expected: [2, 3] },
  { name: 'SUBJECT across a fold', term: header('subject', 'folded subject'), expected: [7] },
  { name: 'HEADER across a fold', term: header('Subject', 'FOLDED SUBJECT'), expected: [7] },
  { name: 'TEXT across a fold', term: whole('folded subject'), expected: [7] },
  { name: 'BODY 日本', term: body('日本'), expected: [3, 5, 6] },
  { name: 'BODY cafe', term: body('cafe'), expected: [2, 3] },
  { name: 'BODY AB, fullwidth', term: body('AB'), expected: [6] },
  { name: 'BODY strasse', term: body('strasse'), expected: [] },
  { name: 'BODY office', term: body('office'), expected: [] },
  { name: 'BODY fin', term: body('fin'), expected: [] },
  { name: 'BODY aei', term: body('aei'), expected: [] },
  { name: 'BODY straße', term: body('STRAße'), expected: [2, 7] },
  { name: 'BODY IV', term: body('IV'), expected: [7] },
  { name: 'BODY 1⁄2', term: body('1⁄2'), expected: [7] },
  { name: 'BODY ǅ', term: body('ǅ'), expected: [7] },
  { name: 'BODY 한', term: body('한'), expected: [7] },
  { name: 'BODY àéî', term: body('àéî'), expected: [7] },
  { name: 'BODY lower, in an unknown character set too', term: body('LOWER'), expected: [3, 4] },
  { name: 'BODY upper', term: body('upper'), expected: [4] },
  { name: 'BODY over a soft line break', term: body('soft'), expected: [2] },
  { name: 'BODY octets of a two-octet character are no letter', term: body('A ascii'), expected: [] },
  { name: 'BODY ascii among Shift_JIS', term: body('ASCII'), expected: [8] },
  { name: 'BODY 日 in Shift_JIS', term: body('日ア'), expected: [8] },
  { name: 'BODY source of HTML', term: body('htmlsource'), expected: [5] },
  { name: 'BODY message within', term: body('innerbody'), expected: [5] },
  { name: 'BODY iso-2022-jp', term: body('本 jisplain'), expected: [5] },
  { name: 'BODY no preamble', term: body('preambletext'), expected: [] },
  { name: 'BODY no epilogue', term: body('epiloguetext'), expected: [] },
  { name: 'BODY no other content', term: body('octetsecret'), expected: [] },
  { name: 'BODY no decoded other content', term: body('octetcoded'), expected: [] },
  { name: 'BODY no header of a message within', term: body('innersubject'), expected: [] },
  { name: 'BODY no MIME header', term: body('described'), expected: [] },
  { name: 'BODY base64 that does not decode', term: body('hello'), expected: [1] },
  { name: 'TEXT header of a message within', term: whole('INNERsubject'), expected: [5] },
  { name: 'TEXT MIME header', term: whole('described'), expected: [5] },
  { name: 'TEXT file name', term: whole('attached.bin'), expected: [5] },
  { name: 'TEXT own header with its name', term: whole('subject: plain'), expected: [1] },
  { name: 'TEXT decoded header', term: whole('café au lait'), expected: [2] },
  { name: 'TEXT no raw encoded word', term: whole('caf=E9?'), expected: [] },
  { name: 'HEADER first of several', term: header('X-Multi', 'one'), expected: [5] },
  { name: 'HEADER second of several', term: header('x-multi', 'TWO'), expected: [5] },
  { name: 'HEADER empty field, empty pattern', term: header('X-Empty', ''), expected: [5] },
  { name: 'HEADER absent, empty pattern', term: header('X-Nope', ''), expected: [] },
  { name: 'HEADER not within', term: header('From', 'inner'), expected: [] },
  { name: 'TO of a group', term: address('to', 'my group'), expected: [1] },
  { name: 'TO members', term: address('to', 'x1@y,z@w'), expected: [1] },
  { name: 'TO empty pattern', term: address('to', ''), expected: [1] },
  { name: 'FROM as written out', term: address('from', 'Fred Bloggs <fred@example.com>'), expected: [1] },
  { name: 'FROM part of an address', term: address('from', 'FRED@example'), expected: [1] },
  { name: 'CC absent', term: address('cc', ''), expected: [] },
  { name: 'BODY of nothing is everywhere', term: body(''), expected: [1, 2, 3, 4, 5, 6, 7, 8] },
]

describe('text of messages', () => {
  test.each(rows)('$name', async ({ term, expected }) => {
    for (const inline of [true, false]) expect((await find(messages, term, { inline })).found).toEqual(expected)
    // The same from the cache, twice.
    const cache = new Map<number, Uint8Array>()
    for (let i = 0; i < 2; i++) expect((await find(messages, term, { cached: true, cache })).found).toEqual(expected)
  })

  test('large messages are searched in windows, wherever the text stands', async () => {
    const line = 'some line of a very long text that is there to be long\n'
    const long = line.repeat(Math.ceil((1.5 * 1024 * 1024) / line.length))
    const make = (before: string, after: string, encoding: string, encode: (s: string) => string): FakeMessage => ({
      text: `${MIME}Content-Type: multipart/mixed; boundary=B\n\n${part('image/png', 'needle in a picture')}${part('text/plain; charset=utf-8', encode(before + after), encoding)}--B--\n`,
    })
    const base64 = (s: string): string => Buffer.from(s, 'latin1').toString('base64').replace(/.{76}/g, '$&\n')
    const large = [
      make(`${utf8('Nädel')} first\n`, long, '8bit', (s) => s),
      make(long, `${utf8('nÄDEL')} last`, 'base64', base64),
      make(long, `${'x'.repeat(70_000)} ${utf8('nädel')} ${'y'.repeat(70_000)}`, '8bit', (s) => s),
      make(long, 'nothing', '8bit', (s) => s),
    ]
    for (const inline of [true, false]) {
      expect((await find(large, body('nädel'), { inline })).found).toEqual([1, 2, 3])
      expect((await find(large, body('needle'), { inline })).found).toEqual([])
      expect((await find(large, whole('described'), { inline })).found).toEqual([1, 2, 3, 4])
    }
  })
})
