import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DATE_TIME_OCTETS, dayOf, dayOfTime, parseDateTime, parseDay, writeDateTime } from '../../../core/wire/imap/dates.js'
import { decodeMailboxName, encodeMailboxName } from '../../../core/wire/imap/modified-utf7.js'
import { decodeBase64, decodeInitialResponse, encodeBase64 } from '../../../core/wire/sasl/base64.js'

const octets = (s: string): Uint8Array => Buffer.from(s, 'latin1')

describe('modified UTF-7 (RFC 3501 §5.1.3)', () => {
  const names = [
    { wire: '', name: '' },
    { wire: 'INBOX', name: 'INBOX' },
    { wire: '&-', name: '&' },
    { wire: 'a&-b', name: 'a&b' },
    { wire: '~peter/mail/&U,BTFw-/&ZeVnLIqe-', name: '~peter/mail/台北/日本語' },
    { wire: '&AOk-&-&AOk-', name: 'é&é' },
    { wire: '&2D3eAA-', name: '😀' },
    { wire: '&AAo-', name: '\n' },
  ]
  test.each(names)('$wire', ({ wire, name }) => {
    expect([decodeMailboxName(octets(wire)), encodeMailboxName(name)]).toEqual([{ name }, wire])
  })
  const refused = [
    { wire: 'a&', problem: 'unterminated modified UTF-7 name' },
    { wire: '&AOk', problem: 'unterminated modified UTF-7 name' },
    { wire: '&A-', problem: 'invalid modified UTF-7 name', why: 'less than one character' },
    { wire: '&AGE-', problem: 'invalid modified UTF-7 name', why: 'printable ASCII in base64' },
    { wire: '&AOl-', problem: 'invalid modified UTF-7 name', why: 'padding bits that are not 0' },
    { wire: '&AOkA-', problem: 'invalid modified UTF-7 name', why: 'padding of six bits' },
    { wire: '&AOk-&AOk-', problem: 'invalid modified UTF-7 name', why: 'two runs that should be one' },
    { wire: '&2D0-', problem: 'invalid modified UTF-7 name', why: 'a lone surrogate' },
    { wire: '&3gA-', problem: 'invalid modified UTF-7 name', why: 'a lone low surrogate' },
    { wire: '&A/k-', problem: 'invalid modified UTF-7 name', why: 'the alphabet of another base64' },
    { wire: '&AAA-', problem: 'invalid modified UTF-7 name', why: 'NUL' },
    { wire: 'caf\xe9', problem: 'mailbox name with 8-bit octet' },
    { wire: 'a\x7f', problem: 'mailbox name with control character' },
    { wire: 'a\r\nb', problem: 'mailbox name with control character' },
  ]
  test.each(refused)('refuses $wire $why', ({ wire, problem }) => {
    expect(decodeMailboxName(octets(wire))).toEqual({ problem })
  })
  test('every name comes back, and has one spelling', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (raw) => {
        const name = raw.replaceAll('\0', '')
        const wire = encodeMailboxName(name)
        expect(wire).toMatch(/^[ -~]*$/)
        expect(decodeMailboxName(octets(wire))).toEqual({ name })
      }),
    )
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z&,+/0-9-]{0,12}$/), (wire) => {
        const decoded = decodeMailboxName(octets(wire))
        if (decoded.problem === undefined) expect(encodeMailboxName(decoded.name)).toBe(wire)
      }),
    )
  })
})

describe('dates', () => {
  const written = (ms: number, zone: number): string => {
    const into = new Uint8Array(DATE_TIME_OCTETS + 2)
    writeDateTime(into, 1, ms, zone)
    return Buffer.from(into.subarray(1, -1)).toString('latin1')
  }
  test.each([
    { ms: 0, zone: 0, text: ' 1-Jan-1970 00:00:00 +0000' },
    { ms: Date.UTC(1996, 6, 17, 9, 44, 25, 999), zone: -420, text: '17-Jul-1996 02:44:25 -0700' },
    { ms: Date.UTC(2000, 1, 29, 23, 59, 59), zone: 330, text: ' 1-Mar-2000 05:29:59 +0530' },
    { ms: Date.UTC(1969, 11, 31, 23, 59, 59), zone: 0, text: '31-Dec-1969 23:59:59 +0000' },
    { ms: Date.UTC(2023, 11, 31, 12, 0, 0), zone: 840, text: ' 1-Jan-2024 02:00:00 +1400' },
  ])('$text', ({ ms, zone, text }) => {
    expect(written(ms, zone)).toBe(text)
    expect(parseDateTime(text)).toEqual({ ms: Math.floor(ms / 1000) * 1000, zone })
  })
  test('days are those of the calendar', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(Date.UTC(1, 0, 1)), max: new Date(Date.UTC(9999, 11, 31)), noInvalidDate: true }), fc.integer({ min: -14 * 60, max: 14 * 60 }), (date, zone) => {
        const ms = Math.floor(date.getTime() / 1000) * 1000
        const local = new Date(ms + zone * 60_000)
        expect(dayOfTime(ms, zone)).toBe(Math.floor(local.getTime() / 86_400_000))
        expect(dayOf(local.getUTCFullYear(), local.getUTCMonth() + 1, local.getUTCDate())).toBe(dayOfTime(ms, zone))
        if (local.getUTCFullYear() >= 1000 && local.getUTCFullYear() <= 9999) expect(parseDateTime(written(ms, zone))).toEqual({ ms, zone })
      }),
    )
  })
  test('two digits of a year', () => {
    expect([parseDay('1-Jan-70'), parseDay('1-Jan-69'), parseDay('1-Jan-1970')]).toEqual([0, dayOf(2069, 1, 1), 0])
  })
  test.each([
    '29-Feb-2023 00:00:00 +0000', '1-Jan-2024 24:00:00 +0000', '1-Jan-2024 00:60:00 +0000', '1-Jan-2024 00:00:00 +0060', '1-Jan-2024 00:00:00 UTC', '1-Jan-2024 00:00:00', '',
  ])('refuses %j', (text) => {
    expect(parseDateTime(text)).toBeUndefined()
  })
})

describe('base64 of SASL', () => {
  test('every octet string comes back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (o) => {
        expect(Buffer.from(decodeBase64(octets(encodeBase64(o))) ?? []).equals(o)).toBe(true)
      }),
    )
  })
  test.each(['YQ', 'YQ=', 'Y===', 'YQ==YQ==', 'Y Q=', 'YQ-_', '====', 'Y=Q='])('refuses %s', (line) => {
    expect(decodeBase64(octets(line))).toBeUndefined()
  })
  test('a lone = is an empty initial response (RFC 4959 §3)', () => {
    expect([decodeInitialResponse(octets('=')), decodeInitialResponse(octets('YQ==')), decodeBase64(octets('='))]).toEqual([new Uint8Array(0), Uint8Array.of(97), undefined])
  })
})
