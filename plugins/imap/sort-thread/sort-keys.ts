import { ENVELOPE } from 'mailwright/api'
import type { MessageValue, Row, Rows } from 'mailwright/api'
import { baseSubject, collationKey, decodeHeaderText, envelopeDate, envelopeText, firstAddress } from 'mailwright/toolkit'
import type { EnvelopeAddresses } from 'mailwright/toolkit'

/** Everything that stands in the header comes out of the envelope, which is kept with the mailbox. */
export const ENVELOPES = { bytes: 'none', sections: [], facts: [ENVELOPE] } as const

/** Seconds since 1970: what a client sees as one moment is one. */
function internalDate(row: Row, rows: Rows): number {
  return Math.floor(rows.date[row]! / 1000)
}

/** The sent date in seconds since 1970; the internal date where there is no Date that can be read (RFC 5256 §2.2). */
export const SENT_DATE: MessageValue = {
  name: 'DATE',
  needs: ENVELOPES,
  fills: true,
  of(row, rows, m) {
    const wire = m.fact?.(ENVELOPE)
    const date = wire === undefined ? undefined : envelopeDate(wire)
    return date === undefined ? internalDate(row, rows) : Math.floor(date.ms / 1000)
  },
}
/** The base subject (RFC 5256 §2.1). */
export const SUBJECT: MessageValue = {
  name: 'SUBJECT',
  needs: ENVELOPES,
  of(_row, _rows, m) {
    const wire = m.fact?.(ENVELOPE)
    const text = wire === undefined ? undefined : envelopeText(wire, 'subject')
    return collationKey(baseSubject(decodeHeaderText(text ?? '')).text)
  },
}

/** The mailbox of the first address; of a group it is the group's name (RFC 5256 §3, RFC 3501 §7.4.2). */
function mailboxOf(name: string, field: EnvelopeAddresses): MessageValue {
  return {
    name,
    needs: ENVELOPES,
    of(_row, _rows, m) {
      const wire = m.fact?.(ENVELOPE)
      const mailbox = wire === undefined ? undefined : firstAddress(wire, field)?.mailbox
      return mailbox === undefined ? '' : collationKey(decodeHeaderText(mailbox))
    },
  }
}

/** The criteria of RFC 5256 §3. */
export const sortKeys: readonly MessageValue[] = [
  { name: 'ARRIVAL', needs: 'columns', fills: true, of: internalDate },
  mailboxOf('CC', 'cc'),
  SENT_DATE,
  mailboxOf('FROM', 'from'),
  { name: 'SIZE', needs: 'columns', fills: true, of: (row, rows) => rows.size[row]! },
  SUBJECT,
  mailboxOf('TO', 'to'),
]
