import type { Dialect } from '../shared/fixed/dialect.js'
import { OCTAL_FIELDS, readOctalFields, writeOctalFields } from '../shared/fixed/octal-fields.js'

/** Messages with CRLF, one behind the other, and nothing else. */
export const mtxDialect: Dialect = {
  title: 'MTX',
  lineEnd: '\r\n',
  fieldsLength: OCTAL_FIELDS,
  header: undefined,
  text: 'as-is',
  hides: false,
  inboxes: ['INBOX', 'INBOX.MTX'],
  readFields: readOctalFields,
  writeFields: writeOctalFields,
}
