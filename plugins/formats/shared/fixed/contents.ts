import { MailError, type Clock } from 'mailwright/api'
import { readSmall } from '../small-read.js'
import { nowSeconds } from '../changes/state-directory.js'
import type { FixedContext } from './context.js'
import { BIT, type Dialect } from './dialect.js'
import type { FileHeader } from './file-header.js'
import type { FixedFile, Held } from './fixed-file.js'
import { KeywordBits } from './keyword-bits.js'
import { FORM, type Layout } from './layout.js'
import { layoutOf, numberRecords, type Entry } from './numbering.js'
import { fieldsAt, freshToken, patchFields, type HeaderChange } from './patch.js'
import { Patches } from './patches.js'
import { scanRecords } from './scan.js'

/** A mailbox file as it is known. */
export interface Contents {
  readonly layout: Layout
  /** What the mailbox's own record says, or should say; of formats without one, what it would say. */
  readonly header: FileHeader
  /** The same as it stands in the file; undefined: nothing stands there yet. */
  readonly filed: FileHeader | undefined
  readonly keywords: KeywordBits
  /** What is wrong with the file; nothing may be written to it then. */
  readonly damage: string | undefined
}

export function emptyHeader(clock: Clock, keywords: readonly string[]): FileHeader {
  return { validity: nowSeconds(clock), last: 0, keywords: new KeywordBits(keywords).names, token: '' }
}
/** The mailbox's own record. @throws MailError `corrupt` when the file is of another format */
export async function readHeader(dialect: Dialect, held: Held, path: string): Promise<FileHeader | undefined> {
  const kind = dialect.header
  if (kind === undefined || held.stat.size === 0) return undefined
  const octets = Buffer.alloc(kind.length)
  const got = await readSmall(held.file, octets, 0)
  const header = got === kind.length ? kind.parse(octets) : undefined
  if (header === undefined) throw notOfThisFormat(dialect, path)
  return header
}

/** Reads the whole file. `before`: what formats without a record of their own go on with, and where messages with numbers are. */
export async function readContents(
  dialect: Dialect,
  held: Held,
  path: string,
  ctx: FixedContext,
  before: { readonly header: FileHeader; readonly known: Layout | undefined } | undefined,
  signal: AbortSignal,
): Promise<Contents & { readonly entries: readonly Entry[]; readonly warning: string | undefined }> {
  const filed = await readHeader(dialect, held, path)
  const start = filed ?? before?.header ?? emptyHeader(ctx.clock, ctx.mailbox.defaultKeywords)
  const scanned = await scanRecords(held.file, dialect, dialect.header?.length ?? 0, held.stat.size, signal)
  if (scanned.damage !== undefined && scanned.records.length === 0 && filed === undefined) throw notOfThisFormat(dialect, path)
  const numbered = numberRecords(dialect, scanned, start, { previous: 0, count: 0, known: before?.known }, Math.max(nowSeconds(ctx.clock), start.validity + 1))
  const header = { ...start, validity: numbered.validity, last: numbered.last }
  return {
    layout: layoutOf(numbered.entries), header, filed, keywords: new KeywordBits(start.keywords), damage: scanned.damage?.text, entries: numbered.entries, warning: numbered.warning,
  }
}

function notOfThisFormat(dialect: Dialect, path: string): MailError {
  return new MailError('corrupt', `Not a ${dialect.title}-format mailbox: ${path}`)
}
/** @throws MailError `corrupt`: what is damaged is read, and not made worse */
export function mustBeWhole({ damage }: Pick<Contents, 'damage'>): void {
  if (damage !== undefined) throw new MailError('corrupt', damage)
}

/** Whether something is known here that does not stand in the file. */
export function owes({ layout, header, filed }: Contents, claim: boolean): boolean {
  const differs = filed !== undefined && (filed.validity !== header.validity || filed.last !== header.last || filed.keywords.length !== header.keywords.length)
  return differs || layout.lacks(FORM.numbered | (claim ? FORM.old : 0))
}

/** What is to be written so that nothing is owed any more. */
export interface Settling {
  readonly patches: Patches
  readonly header: HeaderChange | undefined
  /** The contents once it is written. */
  readonly done: (reformed: (i: number) => void) => Contents
}
/**
 * What is owed: numbers, the mailbox's own record and, with `claim`, that messages were seen to come; with `more`, other changes of fields in the
 * same stroke. `done` calls back for each message whose place has another form.
 */
export function settling(dialect: Dialect, contents: Contents, random: (octets: number) => Uint8Array, claim: boolean, more = new Patches()): Settling {
  mustBeWhole(contents)
  const { layout, header, filed } = contents
  const wanted = FORM.numbered | (claim ? FORM.old : 0)
  const owed: number[] = []
  const patches = layout.lacks(wanted) ? withOwed(dialect, layout, wanted, more, owed) : more
  const after = dialect.header === undefined || filed === undefined ? header : { ...header, token: patches.count > 0 || owes(contents, false) ? freshToken(random) : header.token }
  return {
    patches,
    header: filed === undefined ? undefined : { before: filed, after },
    done(reformed) {
      for (const i of owed) {
        layout.reform(i, layout.at('form', i) | wanted)
        reformed(i)
      }
      return { ...contents, header: after, filed: filed === undefined ? undefined : after }
    },
  }
}
/** Patches of `more` and of all messages whose form lacks something; those are added to `owed`. */
function withOwed(dialect: Dialect, layout: Layout, wanted: number, more: Patches, owed: number[]): Patches {
  const out = new Patches()
  const claimed = (wanted & FORM.old) === 0 ? 0 : BIT.old
  for (let i = 0, n = 0; i < layout.count; i++) {
    const other = n < more.count && more.messageOf(n) === i ? more.of(n++) : undefined
    if (!layout.has(i, wanted)) {
      owed.push(i)
      out.push(i, fieldsAt(dialect, layout, i), { ...other, set: (other?.set ?? 0) | claimed, uid: dialect.header === undefined ? 0 : layout.at('uid', i) })
    } else if (other !== undefined) out.push(i, other.at, other)
  }
  return out
}
/** Writes it. */
export async function settle(box: FixedFile, held: Held, dialect: Dialect, { patches, header, done }: Settling, reformed: (i: number) => void = () => undefined): Promise<Contents> {
  await patchFields(box, held, dialect, patches, header)
  return done(reformed)
}
