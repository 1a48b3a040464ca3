import type { FileTools } from 'mailwright/api'
import type { Dialect } from '../shared/fixed/dialect.js'
import { makeKnownChange, type KnownChange, type KnownOutcome } from '../shared/fixed/known-change.js'
import { OCTAL_FIELDS, putOctalFields, readOctalFields, writeOctalFields } from '../shared/fixed/octal-fields.js'

/** Work on a mailbox whose state is known, on whatever thread. */
export function run(tools: FileTools, change: KnownChange): Promise<KnownOutcome> {
  return makeKnownChange(mtxDialect, tools, change)
}

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
  putFields: putOctalFields,
  writeFields: writeOctalFields,
  module: import.meta.url,
}
