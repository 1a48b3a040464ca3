import { ConnectionLost, MailError, ProtocolAbort, SYSTEM, uids } from '../api/index.js'
import type { FetchPlan, ImapWriter, MailSession, MailboxView, RowSet, Rows, StoredMessage, UidSet, Wants } from '../api/index.js'
import { OctetWriter } from '../wire/imap/writer.js'
import type { BoundItem } from './items/bound-item.js'

/** Lines between two looks at whether the client keeps up. */
const LINES_PER_LOOK = 256
const DEPTH = { none: 0, header: 1, whole: 2 } as const

/** What one FETCH line is made of. */
export interface FetchLines {
  readonly view: MailboxView
  readonly items: readonly BoundItem[]
  readonly session: MailSession
  readonly keep?: FetchPlan['keep']
}
/** What came of it. */
export interface Fetched {
  /** Messages that were asked for and are gone (RFC 2180 §4.1). */
  readonly missing: number
  /** Unseen messages whose text was sent. */
  readonly toSee: UidSet
}

/** The union of what the items need; undefined: columns suffice. */
function wantsOfAll(items: readonly BoundItem[]): Wants | undefined {
  let bytes: Wants['bytes'] = 'none'
  let reading = false
  const sections: Wants['sections'][number][] = []
  const facts = new Map<string, Wants['facts'][number]>()
  for (const { needs } of items) {
    if (needs === 'columns') continue
    reading = true
    if (DEPTH[needs.bytes] > DEPTH[bytes]) bytes = needs.bytes
    sections.push(...needs.sections)
    for (const fact of needs.facts) facts.set(fact.id, fact)
  }
  return reading ? { bytes, sections, facts: [...facts.values()] } : undefined
}

/** Writes `* n FETCH (...)` for every row, in order. Numbering stays as it is: nothing is flushed meanwhile. */
export async function writeFetchLines(rows: RowSet, lines: FetchLines): Promise<Fetched> {
  const { view, items, session } = lines
  if (view.rows.gaps > 0 && items.some((i) => i.item.fills === true)) await view.fill(rows, session.signal)
  const chosen = lines.keep === undefined ? rows : kept(rows, view.rows, lines.keep)
  const wants = wantsOfAll(items)
  if (wants !== undefined) return readLines(chosen, wants, lines)
  await columnLines(chosen, lines)
  return { missing: 0, toSee: uids.none }
}

/** The hot path: columns alone, no allocation and no await per message. */
async function columnLines(rows: RowSet, { view, items, session }: FetchLines): Promise<void> {
  const { out } = session
  const byUid = session.shape.address === 'uids'
  const table = view.rows
  const { pairs } = rows
  const last = items.length - 1
  for (let p = 0; p < pairs.length; p += 2) {
    const end = pairs[p + 1]!
    for (let row = pairs[p]!; row <= end; ) {
      const stop = Math.min(end, row + LINES_PER_LOOK - 1)
      for (; row <= stop; row++) {
        openLine(row, table, out, byUid)
        for (let i = 0; i <= last; i++) {
          if (i > 0) out.raw(' ')
          items[i]!.column(row, table, out, view)
        }
        out.raw(')').endLine()
      }
      const wait = out.room()
      if (wait !== undefined) await wait
    }
  }
}
function openLine(row: number, rows: Rows, out: ImapWriter, byUid: boolean): void {
  if (byUid) out.raw('* ').number(rows.uid[row]!).raw(' UIDFETCH (')
  else out.raw('* ').number(row + 1).raw(' FETCH (')
}

async function readLines(rows: RowSet, wants: Wants, lines: FetchLines): Promise<Fetched> {
  const { view, items, session } = lines
  const marks = items.some((i) => i.setsSeen)
  const toSee: number[] = []
  let answered = 0
  for await (const batch of view.read(rows, wants, session.signal)) {
    for (const message of batch) {
      const row = view.rows.find(message.uid)
      if (row === -1) continue
      const done = messageLine(message, row, lines)
      if (done === false || (done !== true && !(await done))) continue
      answered++
      if (marks && (view.rows.flagSets[view.rows.flags[row]!]!.system & SYSTEM.seen) === 0) toSee.push(message.uid)
      const wait = session.out.room()
      if (wait !== undefined) await wait
    }
  }
  return { missing: rows.count - answered, toSee: uids.from(toSee) }
}

/** One line; false when the message is gone before anything of it was written. Waits only where an item does. */
function messageLine(message: StoredMessage, row: number, lines: FetchLines): boolean | Promise<boolean> {
  try {
    openLine(row, lines.view.rows, lines.session.out, lines.session.shape.address === 'uids')
    return itemsFrom(0, message, row, lines)
  } catch (error) {
    return brokenOff(error, lines.session.out)
  }
}
function itemsFrom(first: number, message: StoredMessage, row: number, lines: FetchLines): boolean | Promise<boolean> {
  const { view, items, session } = lines
  const { out } = session
  for (let i = first; i < items.length; i++) {
    if (i > 0) out.raw(' ')
    const bound = items[i]!
    if (bound.needs === 'columns') {
      bound.column(row, view.rows, out, view)
      continue
    }
    const wait = bound.write(message, row, out, session)
    if (wait !== undefined) {
      return wait.then(
        () => itemsFrom(i + 1, message, row, lines),
      ).catch((error: unknown) => brokenOff(error, out))
    }
  }
  out.raw(')').endLine()
  return true
}
/** A line that cannot be finished is taken back; when part of it has left, only the end of the link keeps the client from misreading. */
function brokenOff(error: unknown, out: ImapWriter): false {
  if (error instanceof ProtocolAbort || error instanceof ConnectionLost) throw error
  if (!(out instanceof OctetWriter) || !out.dropLine()) throw new ProtocolAbort(undefined, 'a FETCH line could not be finished', { cause: error })
  if (error instanceof MailError && error.kind === 'vanished') return false
  throw error
}

function kept(rows: RowSet, table: Rows, keep: NonNullable<FetchPlan['keep']>): RowSet {
  const pairs: number[] = []
  let count = 0
  for (let p = 0; p < rows.pairs.length; p += 2) {
    for (let row = rows.pairs[p]!; row <= rows.pairs[p + 1]!; row++) {
      if (!keep(row, table)) continue
      count++
      if (pairs.length > 0 && pairs[pairs.length - 1] === row - 1) pairs[pairs.length - 1] = row
      else pairs.push(row, row)
    }
  }
  return { pairs: Uint32Array.from(pairs), count }
}
