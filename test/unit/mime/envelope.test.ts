import { describe, expect, test } from 'vitest'
import { writeEnvelope } from '../../../core/mime/envelope.js'

function envelope(header: string): string {
  return Buffer.from(writeEnvelope(Buffer.from(header, 'latin1'))).toString('latin1')
}

const rows = [
  {
    name: 'the example of RFC 3501 §8',
    header:
      'Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n' +
      'Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n' +
      'cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\nMIME-Version: 1.0\r\n\r\n',
    expected:
      '("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) ' +
      '(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ' +
      '((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) ' +
      'NIL NIL "<B27397-0100000@cac.washington.edu>")',
  },
  { name: 'nothing at all', header: '', expected: '(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)' },
  {
    name: 'present but empty (RFC 3501 §7.4.2)',
    header: 'Date:\r\nSubject: \r\nFrom: a@b\r\nSender:\r\nReply-To:  \r\nTo:\r\nCc: ,\r\nIn-Reply-To:\r\nMessage-ID:\r\n\r\n',
    expected: '("" "" ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL "" "")',
  },
  {
    name: 'syntax errors as the original shows them',
    header: 'From: Fred <fred@h\nTo: a@b c@d, x@y\nReply-To: Undisclosed recipients:;\nCc: <>\nDate: x\n\n',
    expected:
      '("x" NIL (("Fred" NIL "fred" "h")(NIL NIL "MISSING_MAILBOX_TERMINATOR" ".SYNTAX-ERROR.")) ' +
      '(("Fred" NIL "fred" "h")(NIL NIL "MISSING_MAILBOX_TERMINATOR" ".SYNTAX-ERROR.")) ' +
      '((NIL NIL "Undisclosed recipients" NIL)(NIL NIL NIL NIL)) ' +
      '((NIL NIL "a" "b")(NIL NIL "UNEXPECTED_DATA_AFTER_ADDRESS" ".SYNTAX-ERROR.")) ((NIL NIL "INVALID_ADDRESS" ".SYNTAX-ERROR.")) NIL NIL NIL)',
  },
  {
    name: 'first text, all addresses of repeated fields',
    header: 'Subject: one\r\nSubject: two\r\nTo: a@b\r\nTo: c@d\r\n>From: e@f\r\n\r\n',
    expected: '(NIL "one" ((NIL NIL "e" "f")) ((NIL NIL "e" "f")) ((NIL NIL "e" "f")) ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)',
  },
  {
    name: 'folds, tabs and blanks before the colon',
    header: 'Subject : folded\r\n subject\r\n\tline  \r\nmessage-ID:\r\n <x@y>\r\n\r\n',
    expected: '(NIL "folded subject line" NIL NIL NIL NIL NIL NIL NIL "<x@y>")',
  },
  {
    name: 'quotes and backslashes are quoted, eight bits and controls make a literal, NUL goes',
    header: 'Subject: say "hi" \\ \r\nIn-Reply-To: caf\xe9\r\nMessage-ID: a\0b\x01\r\n\r\n',
    expected: '(NIL "say \\"hi\\" \\\\" NIL NIL NIL NIL NIL NIL {4}\r\ncaf\xe9 {3}\r\nab\x01)',
  },
  {
    name: 'lines that are no fields',
    header: 'From alice Mon Jan  1 00:00:00 2024\r\n begins with white space\r\nno colon here\r\nSubject: found\r\n\r\nDate: body\r\n',
    expected: '(NIL "found" NIL NIL NIL NIL NIL NIL NIL NIL)',
  },
]

describe('ENVELOPE', () => {
  test.each(rows)('$name', ({ header, expected }) => {
    expect(envelope(header)).toBe(expected)
  })
})
