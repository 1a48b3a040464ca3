import { describe, expect, test } from 'vitest'
import { CHARSETS } from '../../../core/mime/charset/names.js'
import { charsetClass, decodeCharset, decodeText, isCharset } from '../../../core/mime/charset/decode.js'
import { fold } from '../../../core/mime/charset/fold.js'
import { MIME_LIMITS } from '../../../core/mime/limits.js'
import { decodeHeaderText } from '../../../core/mime/encoded-word.js'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const raw = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

describe('character sets', () => {
  test('every name that BADCHARSET lists can be decoded', () => {
    expect(CHARSETS.filter((name) => !isCharset(name))).toEqual([])
  })
  test.each(['BOGUS', 'hex', 'base64', 'binary', 'internal', 'utf-7-imap', '', 'x'.repeat(200), '__proto__', 'constructor', 'us ascii'])('unknown: %s', (name) => {
    expect(isCharset(name)).toBe(false)
  })
  test.each([
    { charset: 'iso-8859-1', octets: 'e9 80', text: 'é€' },
    { charset: 'ISO-8859-15*fr', octets: 'a4', text: '€' },
    { charset: 'windows-1252', octets: '80', text: '€' },
    { charset: 'utf-8', octets: 'c3a9', text: 'é' },
    { charset: 'utf-8', octets: '61e962', text: 'aéb' },
    { charset: 'us-ascii', octets: '61c3a9', text: 'aé' },
    { charset: 'koi8-ru', octets: 'c1', text: 'а' },
    { charset: 'utf-7', octets: '2b3244336541412d', text: '\ud83d\ude00' },
    { charset: 'utf-16', octets: '0041 00e9', text: 'Aé' },
    { charset: 'utf-16', octets: 'fffe 4100', text: 'A' },
    { charset: 'utf-16', octets: '0041 00', text: 'A' },
    { charset: 'iso-2022-jp', octets: '1b2442 467c 4b5c 1b2842', text: '日本' },
    { charset: 'iso-2022-jp', octets: '1b2849 313233 1b2842', text: 'ｱｲｳ' },
    { charset: 'iso-2022-jp-1', octets: '1b242844 3021 1b2842 41', text: '丂A' },
    { charset: 'iso-2022-jp-2', octets: '1b2441 3021', text: '啊' },
    { charset: 'iso-2022-jp-2', octets: '1b2e41 1969', text: 'é' },
    { charset: 'iso-2022-jp-2', octets: '1b2e41 1b4e69 41', text: 'éA' },
    { charset: 'iso-2022-kr', octets: '1b242943 0e 3021 0f 41', text: '가A' },
    { charset: 'iso-2022-jp', octets: '1b2442 46', text: '\ufffd' },
    { charset: 'iso-2022-cn', octets: '1b242941 0e 3021 0f 41', text: '啊A' },
    { charset: 'euc-jp', octets: 'c6fc 8fb0a1 8eb1', text: '日丂ｱ' },
    { charset: 'hz-gb-2312', octets: '417e7b 3021 7e7d 7e7e 42', text: 'A啊~B' },
    { charset: 'KS_C_5601-1992', octets: 'b0a1', text: '가' },
    { charset: 'cn-gb', octets: 'b0a1', text: '啊' },
    { charset: 'shift-jis', octets: '93fa', text: '日' },
    { charset: 'big-5', octets: 'a440', text: '一' },
    { charset: 'viscii', octets: 'e9', text: 'é' },
  ])('$charset $octets', ({ charset, octets, text }) => {
    expect(decodeCharset(hex(octets), charset)).toBe(text)
  })
  test('unlabelled text is Japanese, UTF-8 or Windows', () => {
    expect(decodeText(hex('1b2442 467c'), undefined)).toBe('日')
    expect(decodeText(hex('e697a5'), 'x-foo')).toBe('日')
    expect(decodeText(hex('61 e9 ff'), 'x-foo')).toBe('aéÿ')
  })
  test('classes', () => {
    expect(['UTF-8', 'iso-8859-7', 'Shift_JIS', 'GB2312', 'cp949', 'big5', 'iso-2022-jp', 'utf-16le', 'utf-7', 'hz', undefined].map(charsetClass)).toEqual([
      'superset', 'superset', 'multibyte', 'multibyte', 'multibyte', 'multibyte', 'opaque', 'opaque', 'opaque', 'opaque', 'superset',
    ])
  })
})

describe('folding (RFC 5051)', () => {
  test.each([
    ['lower', 'LOWER'],
    ['café', 'CAFE\u0301'],
    ['ς σ', 'Σ Σ'],
    ['ＡＢ', 'AB'],
    ['Ⅳ ① ½', 'IV 1 1\u20442'],
    ['ﬃ', 'ffi'],
    ['ǆ Ǆ ǅ', 'Dz\u030c Dz\u030c Dz\u030c'],
    ['İ', 'I\u0307'],
    ['straße', 'STRAßE'],
    ['한글', '한글'],
    ['ᾳ', 'Α\u0345'],
    ['😀x', '😀X'],
    ['\u301c\uff5e', '~~'],
  ])('%s', (text, expected) => {
    expect(fold(text)).toBe(expected)
  })
})

describe('encoded words (RFC 2047)', () => {
  test.each([
    ['plain', 'plain'],
    ['=?iso-8859-1?q?caf=E9?= au lait', 'café au lait'],
    ['=?UTF-8?B?5pel5pys?=', '日本'],
    ['=?utf-8?q?a?= =?utf-8?q?b?=\r\n =?utf-8?q?c?= d', 'abc d'],
    ['a =?utf-8?q?_b_?= c', 'a  b  c'],
    ['=?iso-8859-1*fr?q?=E9?=', 'é'],
    ['x=?utf-8?q?a?=', 'x=?utf-8?q?a?='],
    ['(=?utf-8?q?a?=)', '(=?utf-8?q?a?=)'],
    ['=?utf-8?q?a?=x', '=?utf-8?q?a?=x'],
    ['=?utf-8?q?a b?=', '=?utf-8?q?a b?='],
    ['=?utf-8?q?=Z?= =?utf-8?q?b?=', '=?utf-8?q?=Z?= b'],
    ['=?utf-8?b?!!?= x', '=?utf-8?b?!!?= x'],
    ['=?utf-8?x?a?=', '=?utf-8?x?a?='],
    ['=?x-foo?q?=E9?=', 'é'],
    ['=?utf-8?b?0LTQ?= =?UTF-8?b?tA==?=', 'дд'],
    ['=?utf-8?q?=D0?= =?utf-8?b?tA==?= x', 'д x'],
    ['=?utf-8?q?=C3=A9?= =?iso-8859-1?q?=E9?=', 'éé'],
    [raw('raw 日本'), 'raw 日本'],
    ['raw \xe9', 'raw é'],
  ])('%s', (text, expected) => {
    expect(decodeHeaderText(text)).toBe(expected)
  })
  test('as many words as the limit are decoded, one more is not', () => {
    const text = ' =?utf-8?q?x?='.repeat(MIME_LIMITS.encodedWords)
    expect(decodeHeaderText(text).trim()).toBe('x'.repeat(MIME_LIMITS.encodedWords))
    expect(decodeHeaderText(`${text} =?utf-8?q?y?=`).trim()).toBe(`${'x'.repeat(MIME_LIMITS.encodedWords)} =?utf-8?q?y?=`)
  })
})
