import type { FileTools } from 'mailwright/api'
import { hex, hexAt, putHex, textOf, type Dialect, type Fields } from '../shared/fixed/dialect.js'
import type { FileHeader } from '../shared/fixed/file-header.js'
import { makeKnownChange, type KnownChange, type KnownOutcome } from '../shared/fixed/known-change.js'
import { MAX_KEYWORD_BITS } from '../shared/keyword-bits.js'

/** `*mbx*`, UIDVALIDITY and last UID, keywords one to a line, NULs, and who wrote flags last. */
const HEADER = 2048
const MAGIC = '*mbx*\r\n'
const TOKEN_AT = HEADER - 10

function parseHeader(octets: Buffer): FileHeader | undefined {
  if (octets.toString('latin1', 0, MAGIC.length) !== MAGIC || octets[23] !== 13 || octets[24] !== 10) return undefined
  const [validity, last] = [hexAt(octets, 7, 8), hexAt(octets, 15, 8)]
  if (Number.isNaN(validity) || Number.isNaN(last)) return undefined
  const lines = octets.toString('latin1', 25, TOKEN_AT).split('\r\n', MAX_KEYWORD_BITS)
  const end = lines.findIndex((line) => line === '' || line.includes('\0'))
  const token = octets.toString('latin1', TOKEN_AT, TOKEN_AT + 8)
  return { validity, last, keywords: end === -1 ? lines : lines.slice(0, end), token: token.startsWith('\0') ? '' : token }
}
function writeHeader({ validity, last, keywords, token }: FileHeader): Buffer {
  const octets = Buffer.alloc(HEADER)
  const lines = Array.from({ length: MAX_KEYWORD_BITS }, (_, bit) => `${keywords[bit] ?? ''}\r\n`)
  octets.write(`${MAGIC}${hex(validity, 8)}${hex(last, 8)}\r\n${lines.join('')}`, 0, 'latin1')
  if (token !== '') octets.write(`${token}\r\n`, TOKEN_AT, 'latin1')
  return octets
}

const FIELDS = 21
/** KEYW8 FLAG4 "-" UID8. */
function readFields(octets: Buffer, at: number): Fields | 'flags' | 'uid' {
  const [keywords, flags, uid] = [hexAt(octets, at, 8), hexAt(octets, at + 8, 4), hexAt(octets, at + 13, 8)]
  if (Number.isNaN(keywords) || Number.isNaN(flags)) return 'flags'
  return octets[at + 12] !== 45 || Number.isNaN(uid) ? 'uid' : { keywords, flags, uid }
}
function putFields({ keywords, flags, uid }: Fields, to: Uint8Array): void {
  putHex(to, 0, keywords, 8)
  putHex(to, 8, flags, 4)
  to[12] = 45
  putHex(to, 13, uid, 8)
}

/** Work on a mailbox whose state is known, on whatever thread. */
export function run(tools: FileTools, change: KnownChange): Promise<KnownOutcome> {
  return makeKnownChange(mbxDialect, tools, change)
}

/** Messages with CRLF behind lines that have their numbers, after a record of 2048 octets. */
export const mbxDialect: Dialect = {
  title: 'MBX',
  lineEnd: '\r\n',
  fieldsLength: FIELDS,
  header: { length: HEADER, parse: parseHeader, write: writeHeader },
  text: 'as-is',
  hides: true,
  inboxes: ['INBOX'],
  readFields,
  putFields,
  writeFields: (fields) => textOf(FIELDS, putFields, fields),
  module: import.meta.url,
}
