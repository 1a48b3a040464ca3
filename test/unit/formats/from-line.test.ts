import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ctimeText, fromLine, fromLineDate, isFromLine, rfcDate, zoneText } from '../../../plugins/formats/shared/text/from-line.js'
import { looksLikeMailbox } from '../../../plugins/formats/shared/text/parser.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'

// The samples were made in this zone; lines without zone mean local time.
process.env['TZ'] = 'UTC'

const rows = readFileSync(new URL('../../fixtures/unix/from-lines.tsv', import.meta.url), 'latin1')
  .split('\n')
  .slice(1)
  .filter((line) => line !== '')
  .map((line) => line.split('\t') as [string, string, string])
  .map(([accepted, date, line]) => ({ accepted: accepted === 'yes', date, line: line.replaceAll('\\t', '\t') }))

/** `2-Dec-1992 05:53:00 -0800` in milliseconds and minutes; seconds may be 60. */
function dateOf(text: string): { ms: number; zone: number } | undefined {
  const found = /^(\d+)-(\w+)-(\d+) (\d+):(\d+):(\d+) ([+-])(\d\d)(\d\d)$/.exec(text)
  if (found === null) return undefined
  const [, day, month, year, hour, minute, second, sign, zh, zm] = found
  const zone = (sign === '-' ? -1 : 1) * (Number(zh) * 60 + Number(zm))
  const start = Date.UTC(Number(year), new Date(`${month} 1, 2000`).getMonth(), Number(day), Number(hour), Number(minute), Number(second))
  return { ms: start - zone * 60_000, zone }
}

describe('From lines', () => {
  test('the table has all the sample lines', () => expect(rows.length).toBe(41))

  test.each(rows)('$line', ({ accepted, date, line }) => {
    const bytes = Buffer.from(line, 'latin1')
    expect(isFromLine(bytes, 0, bytes.length)).toBe(accepted)
    expect(looksLikeMailbox(unixDialect, Buffer.from(`${line}\n\nx\n`, 'latin1'))).toBe(accepted)
    if (accepted) expect(fromLineDate(bytes, 0, bytes.length)).toEqual(dateOf(date))
  })

  test('a mailbox may start with blank lines, not with blanks alone, and its From line must end early', () => {
    const line = 'From a Wed Dec  2 05:53:22 1992\n'
    expect(looksLikeMailbox(unixDialect, Buffer.from(`\r\n \t\n${line}`))).toBe(true)
    expect(looksLikeMailbox(unixDialect, Buffer.from(`\n  ${line}`))).toBe(false)
    expect(looksLikeMailbox(unixDialect, Buffer.from('\n\n\n'))).toBe(false)
    expect(looksLikeMailbox(unixDialect, Buffer.from(line.trimEnd()))).toBe(false)
  })

  test('what is written is read back', () => {
    const ms = Date.UTC(2015, 0, 5, 8, 8, 7)
    expect(fromLine('alice@mail.example.org', ms, 60)).toBe('From alice@mail.example.org Mon Jan  5 09:08:07 2015 +0100\n')
    const line = Buffer.from(fromLine('alice@mail.example.org', ms, -450))
    expect(fromLineDate(line, 0, line.length - 1)).toEqual({ ms, zone: -450 })
    expect(ctimeText(ms, 0)).toBe('Mon Jan  5 08:08:07 2015')
    expect(rfcDate(Date.UTC(2026, 10, 3, 1, 44, 50), 0)).toBe('03 Nov 2026 01:44:50 +0000')
  })

  test.each(['+0000', '', '-0700'])('the years before 100 are not those of a century (zone %j)', (zone) => {
    const line = Buffer.from(`From a Fri Jul 16 05:53:22 0004 ${zone}`.trimEnd())
    expect(fromLineDate(line, 0, line.length)?.ms).toBe(Date.parse(`0004-07-16T05:53:22${zone === '-0700' ? '-07:00' : 'Z'}`))
  })
  test('the sign of a zone stands for minutes too', () => expect([zoneText(-30), zoneText(330)]).toEqual(['-0030', '+0530']))
})
