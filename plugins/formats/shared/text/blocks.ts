import { BIT } from './internal-lines.js'
import { separatorOf, type TextDialect } from './dialect.js'
import { ctimeText, rfcDate } from './from-line.js'

/** Internal lines of one message. */
export interface BlockFacts {
  /** Only of the first message of a mailbox without record of its own. */
  readonly base?: { readonly validity: number; readonly last: number; readonly keywords: readonly string[] }
  /** `BIT` values, with `old` where it is to be written. */
  readonly bits: number
  /** In the order of the mailbox's table. */
  readonly keywords: readonly string[]
  readonly uid: number | undefined
}

const KEYWORDS_END = 50
const KEYWORDS_END_WITH_BASE = 80

/**
 * The lines that stand at the end of a header, before its empty line. Blanks after the keywords fill the block up, so
 * that a change of flags seldom changes its length and the text need not move. Appended messages that could not be
 * numbered bear the lines unpadded, directly after the From line.
 */
export function statusBlock(m: BlockFacts, padded = true): string {
  const has = (bit: number, letter: string): string => ((m.bits & bit) === 0 ? '' : letter)
  const base = m.base && `X-IMAPbase: ${[m.base.validity, m.base.last, ...m.base.keywords].join(' ')}\n`
  const status = `Status: ${has(BIT.seen, 'R')}${has(BIT.old, 'O')}\n`
  const xStatus = `X-Status: ${has(BIT.deleted, 'D')}${has(BIT.flagged, 'F')}${has(BIT.answered, 'A')}${has(BIT.draft, 'T')}\n`
  const lines = `${base ?? ''}${status}${xStatus}X-Keywords:${m.keywords.map((k) => ` ${k}`).join('')}`
  const uid = m.uid === undefined ? '' : `X-UID: ${m.uid}\n`
  const length = !padded ? 0 : base === undefined ? KEYWORDS_END : KEYWORDS_END_WITH_BASE
  return `${lines.padEnd(length, ' ')}\n${uid}`
}

/** Length of what `statusBlock` makes, padded, without making it. `baseLength` is that of the X-IMAPbase line. */
export function blockLength(bits: number, keywords: readonly string[], uid: number, baseLength: number): number {
  let length = baseLength + 'Status: \nX-Status: \nX-Keywords:'.length
  for (let rest = bits; rest !== 0; rest &= rest - 1) length++
  for (const word of keywords) length += word.length + 1
  return Math.max(length, baseLength === 0 ? KEYWORDS_END : KEYWORDS_END_WITH_BASE) + '\nX-UID: \n'.length + String(uid).length
}
/** Length of the X-IMAPbase line. */
export function baseLineLength(base: NonNullable<BlockFacts['base']>): number {
  return `X-IMAPbase: ${[base.validity, base.last, ...base.keywords].join(' ')}\n`.length
}

const ten = (n: number): string => String(n).padStart(10, '0')

/** Values of the mailbox's own record. */
export interface RecordFacts {
  readonly host: string
  readonly nowMs: number
  readonly zone: number
  readonly validity: number
  readonly last: number
  readonly keywords: readonly string[]
  /** Written when the record is made anew in a mailbox that exists, not when a mailbox is created. */
  readonly messageId: boolean
}

/**
 * The message that is none: it keeps UIDVALIDITY, the last number and the keywords while the mailbox is empty. Other
 * programs know it by its From line, its From and Subject and its text, so none of them may be changed.
 */
export function mailboxRecord(dialect: TextDialect, r: RecordFacts): string {
  const text = [
    `From MAILER-DAEMON ${ctimeText(r.nowMs, r.zone)}`,
    `Date: ${rfcDate(r.nowMs, r.zone)}`,
    `From: Mail System Internal Data <MAILER-DAEMON@${r.host}>`,
    "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA",
    ...(r.messageId ? [`Message-ID: <${Math.floor(r.nowMs / 1000)}@${r.host}>`] : []),
    `X-IMAP: ${[ten(r.validity), ten(r.last), ...r.keywords].join(' ')}`,
    'Status: RO',
    '',
    'This text is part of the internal format of your mail folder, and is not',
    'a real message.  It is created automatically by the mail system software.',
    'If deleted, important folder data will be lost, and it will be re-created',
    'with the data reset to initial values.',
    '',
  ].join('\n')
  return dialect.delimiter + text + separatorOf(dialect)
}

/** `From MAILER-DAEMON Mon Nov 23 01:44:50 2026` starts like this. */
export const RECORD_SENDER = 'From MAILER-DAEMON '
/** Digits of the last number in a record of our own making. */
export const RECORD_DIGITS = 10

