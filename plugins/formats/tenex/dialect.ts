import type { FileTools } from 'mailwright/api'
import type { Dialect } from '../shared/fixed/dialect.js'
import { makeKnownChange, type KnownChange, type KnownOutcome } from '../shared/fixed/known-change.js'
import { OCTAL_FIELDS, putOctalFields, readOctalFields, writeOctalFields } from '../shared/fixed/octal-fields.js'

/** Work on a mailbox whose state is known, on whatever thread. */
export function run(tools: FileTools, change: KnownChange): Promise<KnownOutcome> {
  return makeKnownChange(tenexDialect, tools, change)
}

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
  putFields: putOctalFields,
  writeFields: writeOctalFields,
  module: import.meta.url,
}
