import { describe, expect, test } from 'vitest'
import { dayOf, parseHeaderDate } from '../../../core/mime/date.js'

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
  test('the day of a moment is that of its own zone', () => {
    expect(dayOf(utc('2024-01-01T00:30:00Z'), -60)).toBe(dayOf(utc('2023-12-31T12:00:00Z'), 0))
    expect(dayOf(-1, 0)).toBe(-1)
  })
})
