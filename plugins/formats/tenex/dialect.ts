import type { Dialect } from '../shared/fixed/dialect.js'
import { OCTAL_FIELDS, readOctalFields, writeOctalFields } from '../shared/fixed/octal-fields.js'

/** Messages with LF, one behind the other, and nothing else. */
export const tenexDialect: Dialect = {
  title: 'TENEX',
  lineEnd: '\n',
  fieldsLength: OCTAL_FIELDS,
  header: undefined,
  text: 'lf',
  hides: false,
  inboxes: ['INBOX', 'mail.txt'],
  readFields: readOctalFields,
  writeFields: writeOctalFields,
}
