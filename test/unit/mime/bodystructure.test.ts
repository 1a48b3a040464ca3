import { describe, expect, test } from 'vitest'
import { bodyOf } from '../../../core/mime/body.js'
import { writeBody, writeBodystructure } from '../../../core/mime/bodystructure.js'
import { scanOctets } from '../../../core/mime/scanner.js'

const crlf = (text: string): Buffer => Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1')
function both(message: string): { structure: string; body: string } {
  const root = scanOctets(crlf(message), { envelopes: true })
  const structure = writeBodystructure(root)
  const body = Buffer.from(writeBody(root)).toString('latin1')
  expect(Buffer.from(bodyOf(structure)).toString('latin1')).toBe(body)
  return { structure: Buffer.from(structure).toString('latin1'), body }
}
const NO_EXTRA = ' NIL NIL NIL NIL'
const MIME = 'MIME-Version: 1.0\n'

const leaves = [
  { name: 'nothing but text', message: 'Subject: x\n\none\ntwo\n', expected: '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2' },
  { name: 'no line end at the end', message: 'A: b\n\none\ntwo', expected: '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 8 1' },
  { name: 'header only', message: 'A: b\n', expected: '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0' },
  { name: 'empty message', message: '', expected: '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0' },
  { name: 'parameter without value', message: `${MIME}Content-Type: text/plain; charset; name="a b"\n\nx\n`, expected: '("TEXT" "PLAIN" ("CHARSET" "MISSING_PARAMETER_VALUE" "NAME" "a b") NIL NIL "7BIT" 3 1' },
  { name: 'unknown type and encoding', message: `${MIME}Content-Type: foo/bar; x=y\nContent-Transfer-Encoding: x-uue\n\nx\n`, expected: '("FOO" "BAR" ("X" "y") NIL NIL "X-UUE" 3' },
  { name: 'type without subtype', message: `${MIME}Content-Type: text\n\nx\n`, expected: '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3 1' },
  { name: 'no MIME-Version, type with a slash', message: 'Content-Type: text/html\n\nx\n', expected: '("TEXT" "HTML" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3 1' },
  { name: 'no MIME-Version, type without', message: 'Content-Type: image\n\nx\n', expected: '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3 1' },
  { name: 'no MIME-Version, disposition only, eight bits', message: 'Content-Disposition: inline\n\n\xe9\n', expected: '("TEXT" "PLAIN" ("CHARSET" "X-UNKNOWN") NIL NIL "7BIT" 3 1' },
  { name: 'escapes to Japanese', message: 'A: b\n\n\x1b$B\x46\x7c\x1b(B\n', expected: '("TEXT" "PLAIN" ("CHARSET" "ISO-2022-JP") NIL NIL "7BIT" 10 1' },
  { name: 'base64 text without type', message: `${MIME}Content-Transfer-Encoding: base64\n\nAAAA\n`, expected: '("TEXT" "PLAIN" ("CHARSET" "X-UNKNOWN") NIL NIL "BASE64" 6 1' },
  { name: 'continuations stay as written (RFC 2231)', message: `${MIME}Content-Type: text/plain; name*0=ab; name*1=cd\n\nx\n`, expected: '("TEXT" "PLAIN" ("NAME*0" "ab" "NAME*1" "cd") NIL NIL "7BIT" 3 1' },
  { name: 'comments, odd case, quotes', message: `${MIME}Content-Type: (c) Text (d) / (e) HTML ; CharSet="U\\TF-8" (f); x=1\nContent-Transfer-Encoding: Quoted-Printable (so)\n\n`, expected: '("TEXT" "HTML" ("CHARSET" "UTF-8" "X" "1") NIL NIL "QUOTED-PRINTABLE" 0 0' },
  { name: 'blanks in a bare value', message: `${MIME}Content-Type: application/pdf; name=my file.pdf; x=y\n\n`, expected: '("APPLICATION" "PDF" ("NAME" "my file.pdf" "X" "y") NIL NIL "7BIT" 0' },
  { name: 'open quote', message: `${MIME}Content-Type: text/plain; name="abc; x=y\n\n`, expected: '("TEXT" "PLAIN" ("NAME" "abc; x=y") NIL NIL "7BIT" 0 0' },
  { name: 'junk for a type', message: `${MIME}Content-Type: ;;;=;x\n\n`, expected: '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0' },
  { name: 'first of each field', message: `${MIME}Content-Type: text/html; charset=a\nContent-Type: image/gif\n\n`, expected: '("TEXT" "HTML" ("CHARSET" "a") NIL NIL "7BIT" 0 0' },
  { name: 'id and description', message: `${MIME}Content-ID: <a@b>\nContent-Description: what\n it is\n\n`, expected: '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") "<a@b>" "what it is" "7BIT" 0 0' },
]

describe('BODYSTRUCTURE and BODY', () => {
  test.each(leaves)('leaf: $name', ({ message, expected }) => {
    expect(both(message)).toEqual({ structure: `${expected}${NO_EXTRA})`, body: `${expected})` })
  })

  test('extension data in its order (RFC 3501 §7.4.2)', () => {
    const head = `${MIME}Content-Type: text/plain; charset=utf-8\nContent-MD5: Q2hlY2s=\nContent-Disposition: Attachment; filename="a b.txt"; size=3\nContent-Location: http://example.org/\n a\n`
    expect(both(`${head}Content-Language: en, de-CH\n\n`).structure).toBe(
      '("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 0 0 "Q2hlY2s=" ("ATTACHMENT" ("FILENAME" "a b.txt" "SIZE" "3")) ("EN" "DE-CH") "http://example.org/a")',
    )
    expect(both(`${head}Content-Language: en\n\n`).structure).toContain(' "EN" "http')
  })

  test('the two examples of RFC 3501 §7.4.2', () => {
    const text = `${'x'.repeat(45)}\n`
    expect(both(`${MIME}\n${text.repeat(47)}${'y'.repeat(70)}\n`).body).toMatch(/^\("TEXT" "PLAIN" \("CHARSET" "US-ASCII"\) NIL NIL "7BIT" 2281 48\)$/)
    const two =
      `${MIME}Content-Type: multipart/mixed; boundary=B\n\npreamble\n--B\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\n\n${'a\n'.repeat(23)}\n--B\n` +
      'Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME="cc.diff"\nContent-ID: <960723163407.20117h@cac.washington.edu>\n' +
      `Content-Description: Compiler diff\nContent-Transfer-Encoding: BASE64\n\n${'b\n'.repeat(73)}\n--B--\nepilogue\n`
    expect(both(two).body).toBe(
      '(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 69 23)("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "NAME" "cc.diff") ' +
        '"<960723163407.20117h@cac.washington.edu>" "Compiler diff" "BASE64" 219 73) "MIXED")',
    )
  })

  const EMPTY = '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0 NIL NIL NIL NIL)'
  test.each([
    { name: 'no delimiter found', body: 'lost text\n' },
    { name: 'a closing one only', body: '--B--\n' },
    { name: 'delimiter of blanks', body: '--B \t\n--B--\n' },
    { name: 'nothing', body: '' },
  ])('multipart with nothing in it: $name', ({ body }) => {
    expect(both(`${MIME}Content-Type: multipart/mixed; boundary=B\n\n${body}`).structure).toBe(`(${EMPTY} "MIXED" ("BOUNDARY" "B") NIL NIL NIL)`)
  })

  test('a message within: envelope, structure, lines', () => {
    const inner = 'Subject: in\nFrom: a@b\n\none\ntwo\n'
    const message = `${MIME}Content-Type: multipart/digest; boundary="="\n\n--=\n\n${inner}\n--=\nContent-Type: text/plain\n\nx\n--=--\n`
    const envelope = '(NIL "in" ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL)'
    expect(both(message)).toEqual({
      structure:
        `(("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 36 5 NIL NIL NIL NIL)`.replace(' 5 NIL', ` ${envelope} ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2${NO_EXTRA}) 5 NIL`) +
        `("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 1 0${NO_EXTRA}) "DIGEST" ("BOUNDARY" "=") NIL NIL NIL)`,
      body:
        `(("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 36 ${envelope} ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2) 5)` +
        '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 1 0) "DIGEST")',
    })
  })

  test('a message within that is empty has an envelope of NILs', () => {
    expect(both(`${MIME}Content-Type: message/rfc822\n\n`).body).toBe(
      '("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0) 0)',
    )
  })
})
