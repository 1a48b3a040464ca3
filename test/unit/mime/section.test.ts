import { describe, expect, test } from 'vitest'
import type { Section } from '../../../core/api/index.js'
import { filterHeader } from '../../../core/mime/header.js'
import { PART_MAP, mapParts } from '../../../core/mime/part-map.js'
import { locateSection } from '../../../core/mime/section.js'
import { scanOctets } from '../../../core/mime/scanner.js'

const crlf = (text: string): Buffer => Buffer.from(text.replace(/\n/g, '\r\n'), 'latin1')
/** The message whose parts RFC 3501 §6.4.5 lists. */
const complex = crlf(
  [
    'Subject: top', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=A', '', 'preamble',
    '--A', 'X: 1', '', 'one',
    '--A', 'Content-Type: application/octet-stream', 'Content-Transfer-Encoding: base64', '', 'AAAA',
    '--A', 'Content-Type: message/rfc822', '', 'Subject: three', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=C', '',
    '--C', '', '3 1', '--C', 'Content-Type: application/x', '', '3 2', '--C--',
    '--A', 'Content-Type: multipart/mixed; boundary=D', '',
    '--D', 'Content-Type: image/gif', '', 'gif',
    '--D', 'Content-Type: message/rfc822', '', 'Subject: four two', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=E', '',
    '--E', '', '4 2 1', '--E', 'Content-Type: multipart/alternative; boundary=F', '', '--F', '', '4 2 2 1', '--F', 'Content-Type: text/richtext', '', '4 2 2 2', '--F--',
    '--E--', '--D--', '--A--', '',
  ].join('\n'),
)
const simple = crlf('Subject: s\nTo: t\n\nbody\n')
const carrier = crlf('MIME-Version: 1.0\nContent-Type: message/rfc822\n\nSubject: inner\n\nin\n')

function fetch(message: Buffer, section: Section): string | undefined {
  const root = mapParts(scanOctets(message))
  expect(PART_MAP.codec.decode(PART_MAP.codec.encode(root))).toEqual(root)
  const place = locateSection(root, section)
  if (place === undefined) return undefined
  const octets = message.subarray(place.at, place.at + place.size)
  const found = place.fields === undefined ? octets : filterHeader(octets, place.fields.names, place.fields.not)
  return Buffer.from(found).toString('latin1').replaceAll('\r\n', '|')
}
const of = (spec: string): Section => {
  const numbers = /^[\d.]*/.exec(spec)![0].split('.').filter((n) => n !== '').map(Number)
  const word = spec.replace(/^[\d.]*/, '')
  const fields = /^(HEADER\.FIELDS(?:\.NOT)?) (.*)$/.exec(word)
  const what = fields !== null ? { fields: fields[2]!.split(' '), not: fields[1]!.endsWith('NOT') } : word === '' ? 'all' : (word.toLowerCase() as 'header' | 'mime' | 'text')
  return { part: numbers, what, decoded: false }
}

const rows: { message: Buffer; spec: string; expected: string | undefined }[] = [
  { message: simple, spec: '', expected: 'Subject: s|To: t||body|' },
  { message: simple, spec: 'HEADER', expected: 'Subject: s|To: t||' },
  { message: simple, spec: 'TEXT', expected: 'body|' },
  { message: simple, spec: 'HEADER.FIELDS to', expected: 'To: t||' },
  { message: simple, spec: 'HEADER.FIELDS.NOT to', expected: 'Subject: s||' },
  { message: simple, spec: '1', expected: 'body|' },
  { message: simple, spec: '1.MIME', expected: 'Subject: s|To: t||' },
  { message: simple, spec: '1.HEADER', expected: undefined },
  { message: simple, spec: '1.TEXT', expected: undefined },
  { message: simple, spec: '1.1', expected: undefined },
  { message: simple, spec: '2', expected: undefined },
  { message: carrier, spec: '1', expected: 'Subject: inner||in|' },
  { message: carrier, spec: '1.HEADER', expected: 'Subject: inner||' },
  { message: carrier, spec: '1.1', expected: 'in|' },
  { message: carrier, spec: '1.1.1', expected: undefined },
  { message: complex, spec: '1', expected: 'one' },
  { message: complex, spec: '1.MIME', expected: 'X: 1||' },
  { message: complex, spec: '2', expected: 'AAAA' },
  { message: complex, spec: '3.HEADER', expected: 'Subject: three|MIME-Version: 1.0|Content-Type: multipart/mixed; boundary=C||' },
  { message: complex, spec: '3.HEADER.FIELDS subject', expected: 'Subject: three||' },
  { message: complex, spec: '3.TEXT', expected: '--C||3 1|--C|Content-Type: application/x||3 2|--C--' },
  { message: complex, spec: '3.MIME', expected: 'Content-Type: message/rfc822||' },
  { message: complex, spec: '3.1', expected: '3 1' },
  { message: complex, spec: '3.2', expected: '3 2' },
  { message: complex, spec: '3.3', expected: undefined },
  { message: complex, spec: '4.HEADER', expected: undefined },
  { message: complex, spec: '4.1.MIME', expected: 'Content-Type: image/gif||' },
  { message: complex, spec: '4.1', expected: 'gif' },
  { message: complex, spec: '4.2.HEADER.FIELDS SUBJECT', expected: 'Subject: four two||' },
  { message: complex, spec: '4.2.1', expected: '4 2 1' },
  { message: complex, spec: '4.2.2.1', expected: '4 2 2 1' },
  { message: complex, spec: '4.2.2.2', expected: '4 2 2 2' },
  { message: complex, spec: '4.2.2.2.1', expected: undefined },
  { message: complex, spec: '5', expected: undefined },
]

describe('sections (RFC 3501 §6.4.5)', () => {
  test.each(rows)('BODY[$spec]', ({ message, spec, expected }) => {
    expect(fetch(message, of(spec))).toBe(expected)
  })
  test('the encoding of a part comes with its content', () => {
    expect(locateSection(mapParts(scanOctets(complex)), of('2'))?.encoding).toBe('BASE64')
  })
})
