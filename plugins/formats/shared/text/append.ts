import type { AppendItem, OpenFile } from 'mailwright/api'
import { RECORD_DIGITS, statusBlock } from './blocks.js'
import { separatorOf, type TextDialect } from './dialect.js'
import { filedFlags } from './flags.js'
import { fromLine } from './from-line.js'
import { IncomingMessage, type Envelope } from './incoming.js'
import { BIT } from './internal-lines.js'
import { FORM } from './layout.js'
import { firstBase, inTableOrder } from './rewrite.js'
import type { Entered } from './source.js'
import { giveNumbers, lastGiven } from '../given-numbers.js'
import type { ContentWriter } from '../content-writer.js'
import type { Stored } from './stored.js'
import { NO_BASE, type Base } from './stamp.js'

/** A message on its way into the file. */
export interface Waiting {
  readonly item: Pick<AppendItem, 'system' | 'keywords' | 'date' | 'uid'>
  /** As a client gives it, or as another mailbox of the format has it; that is asked for in the order of the messages, once. */
  readonly content: { chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array> } | { stored(): Promise<Stored> }
}
/** How a message came to lie. */
interface Laid {
  readonly head: number
  readonly text: number
  readonly visibleHeader: number
  readonly visibleText: number
}
/** The mailbox as it is before the messages. */
export interface Target {
  readonly base: Base
  readonly validity: number
  readonly last: number
  /** That of the last message, for messages that come with theirs; none below `last` is given without it. */
  readonly highest?: number
  /** Where the file ends now. */
  readonly size: number
  /** The file is known to end with an empty line. */
  readonly separated?: boolean
}
const NOTHING = Buffer.alloc(0)
export interface AppendHow {
  readonly dialect: TextDialect
  readonly sender: string
  readonly quoting: 'all' | 'header-only'
  /** A session is given the messages as recent at once; no other will be. */
  readonly claimed: boolean
  /** The mailbox's keywords, those of the messages included. */
  readonly keywords: readonly string[]
  now(): { readonly ms: number; readonly zone: number }
}
export interface Appended {
  readonly entered: readonly Entered[]
  readonly base: Base
  /** The highest number given out. */
  readonly last: number
  readonly end: number
  /** Octets had to be added to the message before, to separate the new ones from it. */
  readonly mended: boolean
}

/**
 * Lays down messages for the end of a locked file. Without `target` they get no numbers; whoever has the mailbox open
 * gives them.
 */
export async function appendMessages(
  file: OpenFile,
  size: number,
  w: ContentWriter,
  waiting: readonly Waiting[],
  target: Target | undefined,
  how: AppendHow,
  signal: AbortSignal,
): Promise<Appended> {
  const numbers = target === undefined ? [] : giveNumbers(waiting.map(({ item }) => item), { highest: target.last, ...target })
  const last = lastGiven(target?.last ?? 0, numbers)
  const digits = target === undefined ? undefined : digitsPatch(target.base, last)
  if (digits !== undefined) {
    w.stay(digits.at)
    await w.bytes(digits.after, digits.before)
    w.stay(size)
  }
  const end = target?.separated === true ? NOTHING : await missingEnd(how.dialect, file, size)
  await w.bytes(end)
  const entered: Entered[] = []
  let base = target?.base
  for (const { item, content } of waiting) {
    const uid = numbers[entered.length]
    const bearsBase = target !== undefined && target.base.kind === 'none' && entered.length === 0
    const keywords = inTableOrder(item.keywords, how.keywords)
    const date = item.date ?? how.now()
    const block = statusBlock({ ...(bearsBase && { base: { validity: target.validity, last, keywords: how.keywords } }), bits: item.system | (how.claimed ? BIT.old : 0), keywords, uid }, uid !== undefined)
    const around = { before: uid === undefined ? block : '', after: uid === undefined ? '' : block }
    const offset = w.at
    signal.throwIfAborted()
    const laid = await ('stored' in content ? layStored(how.dialect, w, await content.stored(), around) : layIncoming(w, content.chunks(), { ...around, fromLine: fromLine(how.sender, date.ms, date.zone) }, how, signal))
    if (bearsBase) base = firstBase(offset + laid.head - block.length - 1, target.validity, last, how.keywords)
    const place = {
      uid: uid ?? 0, offset, head: laid.head, length: laid.head + laid.text, header: laid.visibleHeader,
      size: laid.visibleHeader + laid.visibleText, form: FORM.numbered | FORM.separated | FORM.canonical | (how.claimed ? FORM.old : 0), filed: filedFlags(item.system, keywords), print: 0,
    }
    entered.push({ place, system: item.system, keywords, date })
  }
  if (digits !== undefined && base !== undefined) base = { ...base, last }
  return { entered, base: base ?? NO_BASE, last, end: w.at, mended: end.length > 0 || base === undefined }
}

async function layIncoming(w: ContentWriter, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, around: Envelope, { dialect, quoting }: AppendHow, signal: AbortSignal): Promise<Laid> {
  const incoming = new IncomingMessage(dialect, around, quoting)
  await w.bytes(incoming.start())
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    await w.bytes(incoming.add(chunk))
  }
  await w.bytes(incoming.finish())
  return incoming
}
/** Opening, lines and text stay; only what the mailbox says of the message is its own. */
async function layStored(dialect: TextDialect, w: ContentWriter, { head, opening, text, visibleHeader, visibleText }: Stored, { before, after }: Omit<Envelope, 'fromLine'>): Promise<Laid> {
  await w.bytes(head.subarray(0, opening))
  await w.bytes(Buffer.from(before, 'latin1'))
  await w.bytes(head.subarray(opening))
  await w.bytes(Buffer.from(`${after}\n`, 'latin1'))
  await w.bytes(text)
  await w.bytes(Buffer.from(separatorOf(dialect), 'latin1'))
  return { head: head.length + before.length + after.length + 1, text: text.length, visibleHeader, visibleText }
}

/**
 * The last number where it stands, if it has room for the new one. Without it the numbers of the messages themselves
 * raise it when the file is read; with it nothing is given out twice after they are gone.
 */
function digitsPatch(base: Base, last: number): { at: number; before: Buffer; after: Buffer } | undefined {
  if (base.kind === 'none') return undefined
  const width = base.kind === 'record' ? RECORD_DIGITS : String(last).length
  if (width !== base.digits) return undefined
  const digits = (n: number): Buffer => Buffer.from(String(n).padStart(width, '0'))
  return { at: base.digitsAt, before: digits(base.last), after: digits(last) }
}

/** What is missing before a new message: the last line's own end, and the empty line or the delimiter. */
export async function missingEnd(dialect: TextDialect, file: OpenFile, size: number): Promise<Buffer> {
  const separator = separatorOf(dialect)
  const end = Buffer.alloc(Math.min(Math.max(3, separator.length), size))
  await file.read(end, size - end.length)
  const text = end.toString('latin1')
  if (size === 0 || (dialect.delimiter === '' ? /\n\r?\n$/.test(text) : text === separator)) return NOTHING
  return Buffer.from(text.endsWith('\n') ? separator : `\n${separator}`, 'latin1')
}
