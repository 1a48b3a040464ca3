import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../../core/testing/random.js'
import { seedOf } from '../../support/random.js'
import { dayOf, parseHeaderDate } from '../../../core/mime/date.js'
import { envelopeDate } from '../../../core/mime/envelope-wire.js'
import { writeEnvelope } from '../../../core/mime/envelope.js'

const utc = (text: string): number => Date.parse(text)
const rows = [
  { text: 'Fri, 21 Nov 1997 09:55:06 -0600', ms: utc('1997-11-21T15:55:06Z'), day: '1997-11-21' },
  { text: '21 Nov 97 09:55:06 GMT', ms: utc('1997-11-21T09:55:06Z'), day: '1997-11-21' },
  { text: 'Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)', ms: utc('1969-02-14T03:02:00Z'), day: '1969-02-13' },
  { text: 'Fri, 21 Nov 1997 09(comment):   55  :  06 -0600', ms: utc('1997-11-21T15:55:06Z'), day: '1997-11-21' },
  { text: 'Mon Jan 12 10:00:00 2004', ms: utc('2004-01-12T10:00:00Z'), day: '2004-01-12' },
  { text: 'Mon Jan 12 10:00:00 EST 2004', ms: utc('2004-01-12T15:00:00Z'), day: '2004-01-12' },
  { text: '2004-01-12T10:00:00+01:00', ms: utc('2004-01-12T09:00:00Z'), day: '2004-01-12' },
  { text: '2004-01-12', ms: utc('2004-01-12T00:00:00Z'), day: '2004-01-12' },
  { text: '12-Jan-2004 23:59:60 +0000', ms: utc('2004-01-13T00:00:00Z'), day: '2004-01-12' },
  { text: '12 Jan 104 1.2.3', ms: utc('2004-01-12T01:02:03Z'), day: '2004-01-12' },
  { text: 'January 5, 2001 1:30pm', ms: utc('2001-01-05T13:30:00Z'), day: '2001-01-05' },
  { text: '1 Jan 49', ms: utc('2049-01-01T00:00:00Z'), day: '2049-01-01' },
  { text: '1 Jan 50', ms: utc('1950-01-01T00:00:00Z'), day: '1950-01-01' },
  { text: '31 Dec 2023 23:00:00 -1200', ms: utc('2024-01-01T11:00:00Z'), day: '2023-12-31' },
]

describe('Date fields', () => {
  test.each(rows)('$text', ({ text, ms, day }) => {
    const found = parseHeaderDate(text)
    expect({ ms: found?.ms, day: found?.day }).toEqual({ ms, day: Math.floor(utc(`${day}T00:00:00Z`) / 86_400_000) })
  })
  test.each(['', 'garbage', 'x', 'Fri, 21 Nov 1997 99:00:00 +0000', '31 Feb 2020', '32 Jan 2020', 'Jan 2020', '0000-00-00'])('no date: %s', (text) => {
    expect(parseHeaderDate(text)).toBeUndefined()
  })
  test('every day of the calendar is told from those that are none', () => {
    const wrong: string[] = []
    for (const year of [100, 400, 1582, 1600, 1899, 1900, 1969, 1970, 1999, 2000, 2023, 2024, 2096, 2100, 9999]) {
      for (let month = 0; month < 12; month++) {
        for (let day = 0; day <= 32; day++) {
          const there = new Date(Date.UTC(year, month, day))
          const isThere = there.getUTCMonth() === month && there.getUTCDate() === day
          const text = `${day} ${'JanFebMarAprMayJunJulAugSepOctNovDec'.slice(3 * month, 3 * month + 3)} ${String(year).padStart(4, '0')} 00:00:00 +0000`
          if (parseHeaderDate(text)?.ms !== (isThere ? there.getTime() : undefined)) wrong.push(text)
        }
      }
    }
    expect(wrong).toEqual([])
  })
  test('the usual form is read as any other way to write it', () => {
    const random = new SeededRandom(seedOf('unit/mime/date'))
    const two = (n: number): string => String(n).padStart(2, '0')
    for (let i = 0; i < 5000; i++) {
      const day = random.pick(['', 'Mon, ', 'sun, ', 'Xyz, '])
      const date = `${random.pick(['', ' '])}${random.chance(0.5) ? random.below(40) : two(random.below(40))} ${random.pick(['Jan', 'feb', 'MAR', 'Dec', 'Foo'])} ${random.pick(['2024', '1999', '0099', '2100'])}`
      const time = `${two(random.below(26))}:${two(random.below(62))}${random.chance(0.7) ? `:${two(random.below(63))}` : ''}`
      const zone = `${random.pick(['+', '-'])}${two(random.below(26))}${two(random.below(70))}${random.pick(['', ' (CET)', ' ()'])}`
      const text = `${day}${date} ${time} ${zone}`
      // Two blanks before the zone are another form.
      expect(parseHeaderDate(text), text).toEqual(parseHeaderDate(`${day}${date} ${time}  ${zone}`))
    }
  })
  test.each(['Mon, 1 Jan 2024 00:00:0', 'Mon, 1 Jan 2024 00:00 +000', 'Mon, 1 Jan 2024 00:00 +0100 x', 'Mon, 1 Jan 2024 00:00 +0100 (a', 'Mon 1 Jan 2024 00:00 +0100', 'Mo, 1 Jan 2024 00:00 +0100', 'Mon, 1 Jan 2024', 'Mon,1 Jan 2024 00:00'])('nearly the usual form: %s', (text) => {
    expect(parseHeaderDate(text)?.day).toBe(19723)
  })
  test('the date of an envelope is the one in its header', () => {
    const usual = 'Mon, 1 Jan 2024 00:00:01 +0100'
    const texts = [...rows.map(({ text }) => text), usual, `${usual} (CET)`, String.raw`${usual} (a "b")`, `${usual} (\xe9)`, `${usual} (${'x'.repeat(500)})`, usual.slice(0, -1), usual.slice(0, -9), `${usual}0`, 'Mon, 1 Jan 2024 00:00 +0100 " 9', '', '"']
    for (const text of texts) {
      const wire = writeEnvelope(Buffer.from(`Date: ${text}\r\nSubject: 2000 1 Jan 2000 00:00:00 +0000\r\n\r\n`, 'latin1'))
      expect(envelopeDate(wire), text).toEqual(parseHeaderDate(text.replaceAll(/\s+/g, ' ')))
    }
    expect(envelopeDate(writeEnvelope(Buffer.from('Subject: 1 Jan 2000 00:00:00 +0000\r\n\r\n')))).toBeUndefined()
    expect(envelopeDate(new Uint8Array(0))).toBeUndefined()
  })
  test('characters that are no octets are no digits', () => {
    expect(parseHeaderDate('Mon, 1 Jan 20\u0132\u0134 00:00:00 +0000')).toBeUndefined()
  })
  test('the day of a moment is that of its own zone', () => {
    expect(dayOf(utc('2024-01-01T00:30:00Z'), -60)).toBe(dayOf(utc('2023-12-31T12:00:00Z'), 0))
    expect(dayOf(-1, 0)).toBe(-1)
  })
})
