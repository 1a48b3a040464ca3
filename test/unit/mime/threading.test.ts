import { describe, expect, test } from 'vitest'
import { collationKey } from '../../../core/mime/charset/collate.js'
import { fold } from '../../../core/mime/charset/fold.js'
import { envelopeText, firstAddress } from '../../../core/mime/envelope-wire.js'
import { writeEnvelope } from '../../../core/mime/envelope.js'
import { messageIds } from '../../../core/mime/message-id.js'
import { THREADING, readThreading, threadingId, writeThreading } from '../../../core/mime/threading.js'
import { valueEnd } from '../../../core/mime/wire-list.js'

function header(text: string): Uint8Array {
  return Buffer.from(`${text.replaceAll('\n', '\r\n')}\r\n\r\n`, 'latin1')
}

describe('message ids', () => {
  const rows: readonly (readonly [name: string, text: string, ids: readonly string[]])[] = [
    ['one', '<a@b>', ['a@b']],
    ['several, with and without blanks between', '<a@b> <c@d><e@f>\t<g@h>', ['a@b', 'c@d', 'e@f', 'g@h']],
    ['a quoted local part is what it says', '<"01KF8JCEOCBS0045PS"@xxx.yyy.com>', ['01KF8JCEOCBS0045PS@xxx.yyy.com']],
    ['quoted pairs', String.raw`<"a\"\\b"@c>`, [String.raw`a"\b@c`]],
    ['brackets within quotes', '<"a>b<c"@d> <e@f>', ['a>b<c@d', 'e@f']],
    ['blanks around dots and @', '< a . b @ c . d >', ['a.b@c.d']],
    ['case counts', '<A@b> <a@B>', ['A@b', 'a@B']],
    ['a literal for a domain', '<a@[192.0.2.1]>', ['a@[192.0.2.1]']],
    ['text around them', 'Your message of "Mon, 1 Jan" <a@b> (comment) from <joe@example.org>', ['a@b', 'joe@example.org']],
    ['no @', '<abc>', ['abc']],
    ['nothing in it', '<> < > <a@b>', ['a@b']],
    ['one that does not end', '<a@b> <c@d', ['a@b']],
    ['one that begins anew', '<a@b <c@d>', ['c@d']],
    ['a quote that does not end', '<"a@b> <c@d>', []],
    ['without brackets', 'a@b', []],
    ['too long for a line', `<${'a'.repeat(999)}> <a@b>`, ['a@b']],
    ['as long as a line', `<${'a'.repeat(998)}>`, ['a'.repeat(998)]],
  ]
  test.each(rows)('%s', (_name, text, ids) => {
    expect(messageIds(text)).toEqual(ids)
  })
})

describe('what threading needs of a header (RFC 5256 §3)', () => {
  const rows = [
    ['nothing', 'From: a@b', { id: '', references: [], isReply: false }],
    ['an id and references, folded', 'Message-ID: <c@x>\nReferences: <a@x>\n <b@x>\nSubject: Re: x', { id: 'c@x', references: ['a@x', 'b@x'], isReply: true }],
    ['References go before In-Reply-To', 'In-Reply-To: <z@x>\nReferences: <a@x>', { id: '', references: ['a@x'], isReply: false }],
    ['without valid References the first id of In-Reply-To', 'References: none\nIn-Reply-To: Message of <y@x> <z@x>', { id: '', references: ['y@x'], isReply: false }],
    ['the first id of Message-ID, and the first field', 'Message-Id: <a@x> <b@x>\nMessage-ID: <c@x>', { id: 'a@x', references: [], isReply: false }],
    ['an encoded subject', 'Subject: =?utf-8?q?=5Bfwd=3A_caf=C3=A9=5D?=', { id: '', references: [], isReply: true }],
  ] as const
  test.each(rows)('%s', (_name, text, fields) => {
    const value = writeThreading(header(text))
    expect(readThreading(THREADING.codec.decode(THREADING.codec.encode(value)))).toEqual(fields)
    expect(threadingId(value)).toBe(fields.id)
  })
  test('of many references the last thousand', () => {
    const ids = Array.from({ length: 1500 }, (_, i) => `r${i}@x`)
    const { references } = readThreading(writeThreading(header(`References: ${ids.map((id) => `<${id}>`).join('\n ')}`)))
    expect(references).toEqual(ids.slice(500))
  })
})

describe('the end of a quoted string', () => {
  const rows = [
    ['one that is empty', '"" x', 2],
    ['a quote in it', String.raw`"a\"b" x`, 6],
    ['a backslash at its end', String.raw`"a\\" x`, 5],
    ['a backslash and a quote at its end', String.raw`"a\\\"" x`, 7],
    ['backslashes alone', String.raw`"\\\\" x`, 6],
    ['a quote alone', String.raw`"\"" "x"`, 4],
  ] as const
  test.each(rows)('%s', (_name, text, end) => {
    expect(valueEnd(Buffer.from(text), 0)).toBe(end)
  })
})

describe('fields of an envelope in wire form', () => {
  const wire = writeEnvelope(header('Date: 1 Jan 2026 00:00:00 +0000\nSubject: say "hi" \\ \xe9\nFrom: "A \\"B\\"" <a.b@x>, c@d\nTo: Friends: e@f;\nCc: g'))
  test('texts', () => {
    expect([envelopeText(wire, 'date'), envelopeText(wire, 'subject'), envelopeText(wire, 'message-id')]).toEqual(['1 Jan 2026 00:00:00 +0000', 'say "hi" \\ \xe9', undefined])
  })
  test('first addresses', () => {
    expect(firstAddress(wire, 'from')).toEqual({ personal: 'A "B"', route: undefined, mailbox: 'a.b', host: 'x' })
    expect(firstAddress(wire, 'to')).toEqual({ personal: undefined, route: undefined, mailbox: 'Friends', host: undefined })
    expect(firstAddress(wire, 'cc')?.mailbox).toBe('g')
    expect(firstAddress(wire, 'bcc')).toBe(undefined)
  })
})

describe('the order of i;unicode-casemap (RFC 5051)', () => {
  test('is the order of the octets of UTF-8', () => {
    const texts = ['', '0', 'A', 'AA', '[', '_', '\u00ff', '\u05d0', '\ud7a3', '\ue000', '\uffee', '\uffff', '\u{10000}', '\u{1f600}', '\u{10ffff}', 'A\uffee', 'A\u{1f600}']
    const byOctets = texts.toSorted((a, b) => Buffer.compare(Buffer.from(fold(a)), Buffer.from(fold(b))))
    const byKeys = texts.toSorted((a, b) => (collationKey(a) < collationKey(b) ? -1 : 1))
    expect(byKeys).toEqual(byOctets)
  })
  test('has no case, and no forms', () => {
    expect(collationKey('stra\u00dfe \u00e9 \uff21')).toBe(collationKey('STRA\u00dfE e\u0301 a'))
    expect(collationKey('a')).not.toBe(collationKey('b'))
  })
})
