import { describe, expect, test } from 'vitest'
import { putDataRecord, putIndexLine, putStatusLine } from '../../../plugins/formats/mix/put-records.js'
import { DATA_OCTETS, INDEX_OCTETS, parseDataRecord, parseIndex, parseStatus, SEQUENCE_OCTETS, STATUS_OCTETS } from '../../../plugins/formats/mix/records.js'

const head = 'S00000001\r\n'
const dates = [
  { name: 'an hour east of Greenwich', ms: Date.UTC(2026, 5, 1, 23, 30, 15), zone: 60, text: '20260602003015+0100' },
  { name: 'half an hour less than five west, on the day before', ms: Date.UTC(2024, 2, 1, 3, 0, 0), zone: -270, text: '20240229223000-0430' },
  { name: 'before 1970', ms: Date.UTC(1969, 11, 31, 23, 59, 59), zone: 0, text: '19691231235959+0000' },
  { name: 'a year of one digit', ms: Date.parse('0004-07-16T00:00:00Z'), zone: 0, text: '00040716000000+0000' },
  { name: 'a year of two digits', ms: Date.parse('0099-12-31T23:59:59Z'), zone: 0, text: '00991231235959+0000' },
  { name: 'a year of three digits', ms: Date.UTC(622, 6, 16), zone: 0, text: '06220716000000+0000' },
  { name: 'the last year', ms: Date.UTC(9999, 11, 31, 23, 59, 59), zone: 0, text: '99991231235959+0000' },
]

describe('records of mix as they are written', () => {
  test.each(dates)('a line of the index: $name', ({ ms, zone, text }) => {
    const bytes = Buffer.alloc(SEQUENCE_OCTETS + INDEX_OCTETS, head)
    putIndexLine(bytes, SEQUENCE_OCTETS, { uid: 0xfffffffe, ms, zone, size: 0x12345, file: 0x6b08ed54, at: 0xabcdef, internal: 45, header: 0 })
    expect(bytes.toString('latin1', SEQUENCE_OCTETS)).toBe(`:fffffffe:${text}:00012345:6b08ed54:00abcdef:0000002d:00000000:\r\n`)
    const { uid, ms: read, zone: there, size, file, at, internal, header } = parseIndex(bytes)
    expect([uid, read, there, size, file, at, internal, header].map((column) => column[0])).toEqual([0xfffffffe, ms, zone, 0x12345, 0x6b08ed54, 0xabcdef, 45, 0])
  })
  test.each(dates)('the record in front of a message: $name', ({ ms, zone, text }) => {
    const bytes = Buffer.alloc(DATA_OCTETS + 7, '-')
    putDataRecord(bytes, 3, { uid: 1, ms, zone, size: 4096 })
    expect(bytes.toString('latin1')).toBe(`---:msg:00000001:${text}:00001000:\r\n----`)
    expect(parseDataRecord(bytes, 3)).toEqual({ uid: 1, ms, zone, size: 4096 })
  })
  test('a line of the status file', () => {
    const bytes = Buffer.alloc(SEQUENCE_OCTETS + STATUS_OCTETS, head)
    putStatusLine(bytes, SEQUENCE_OCTETS, { uid: 7, keywords: 0x80000001, flags: 0x2f, modseq: 0x6b08ed54 })
    expect(bytes.toString('latin1', SEQUENCE_OCTETS)).toBe(':00000007:80000001:002f:6b08ed54:\r\n')
    const { count, uid, keywords, flags } = parseStatus(bytes)
    expect([count, uid[0], keywords[0], flags[0]]).toEqual([1, 7, 0x80000001, 0x2f])
  })
})
