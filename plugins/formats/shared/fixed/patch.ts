import { MailError, type OpenFile } from 'mailwright/api'
import { hex, type Dialect, type Fields } from './dialect.js'
import type { FileHeader } from './file-header.js'
import type { FixedFile, Held } from './fixed-file.js'
import type { Layout } from './layout.js'
import { writeOctetsTo, type Octets } from './octet-writes.js'
import { writeOctets } from './octets-task.js'
import { FileWindow } from './window.js'

/** New fields of message `i`, made of those in the file; a value. */
export interface Patch {
  readonly i: number
  /** Bits of the flags. */
  readonly clear: number
  readonly set: number
  /** All of them; undefined: those that it has. */
  readonly keywords: number | undefined
  readonly uid: number | undefined
}
/** The same with the place of the fields in the file. */
export interface PlacedPatch extends Patch {
  readonly at: number
}
/** The mailbox's own record as it stands and as it is to be. */
export interface HeaderChange {
  readonly before: FileHeader
  readonly after: FileHeader
}
interface Change {
  readonly at: number
  readonly octets: Buffer
}
/** Small reads or writes under way at the same time. */
const PARALLEL = 32
/** So many octets are written in one go. */
const SEVERAL = 8
/** Above, fields of messages that lie close together are not read one by one. */
const MANY = 256
/** Octets from message to message, on average, up to which they lie so. */
const DENSE = 1 << 14
/** Where the mailbox's own record names who wrote it last. */
const TOKEN_OCTETS = 8

/** A token that no program of old makes of its process id. */
export function freshToken(random: (octets: number) => Uint8Array): string {
  const [a = 0, b = 0, c = 0, d = 0] = random(4)
  return hex((((a | 0x80) << 24) | (b << 16) | (c << 8) | d) >>> 0, TOKEN_OCTETS)
}

/** Place of the fields of message `i`. */
export function fieldsAt(dialect: Dialect, layout: Layout, i: number): number {
  return layout.at('offset', i) + layout.at('line', i) - dialect.lineEnd.length - dialect.fieldsLength
}
function patched(old: Fields, { clear, set, keywords, uid }: Patch): Fields {
  return { keywords: keywords ?? old.keywords, flags: (old.flags & ~clear) | set, uid: uid ?? old.uid }
}

/**
 * Writes fields where they stand. An octet is written whole or not at all, so changes of one octet each need no more than that; when one
 * of them is longer, or the mailbox's own record changes, all go through the redo file.
 */
export async function patchFields(box: FixedFile, held: Held, dialect: Dialect, patches: readonly PlacedPatch[], header: HeaderChange | undefined): Promise<void> {
  const inRecords = await changesOf(held, dialect, patches)
  const { own, token } = header === undefined || dialect.header === undefined ? { own: [], token: [] } : headerChanges(dialect.header.write(header.before), dialect.header.write(header.after))
  if (own.length === 0 && inRecords.every((c) => c.octets.length === 1)) {
    await box.settle(held)
    const octets = { at: Float64Array.from(inRecords, (c) => c.at), octets: Uint8Array.from(inRecords, (c) => c.octets[0] ?? 0) }
    if (inRecords.length >= SEVERAL && (await inOneGo(box, held, token, octets, held.named && dialect.header !== undefined))) return
    // First, so that nobody takes flags for the old ones that are not.
    for (const c of token) await held.file.write([c.octets], c.at)
    await writeOctetsTo(held.file, octets, held.named && dialect.header !== undefined)
    if (box.changes.durable && inRecords.length > 0) await held.file.sync()
    return
  }
  await box.changes.change(held, { kind: 'rewrite', size: held.stat.size, start: 0 }, async (w) => {
    for (const c of [...own, ...token, ...inRecords]) {
      w.stay(c.at)
      await w.bytes(c.octets)
    }
    w.stay(held.stat.size)
  })
}

/** A way through the event loop for all calls. False: nothing was written. */
async function inOneGo({ lane, path, changes: { durable } }: FixedFile, { stat: { device, inode } }: Held, token: readonly Change[], octets: Octets, locked: boolean): Promise<boolean> {
  if (lane === undefined) return false
  const first = token.map((c) => ({ at: c.at, text: c.octets.toString('latin1') }))
  return writeOctets(lane, { path, device, inode, first, ...octets, locked, durable })
}

async function changesOf(held: Held, dialect: Dialect, patches: readonly PlacedPatch[]): Promise<Change[]> {
  const out: Change[] = []
  const { fieldsLength } = dialect
  const compare = (patch: PlacedPatch, old: Buffer): void => {
    const { at } = patch
    const found = dialect.readFields(old, 0)
    if (typeof found === 'string') throw new MailError('corrupt', `Invalid flags for message ${patch.i + 1} (${at} ${old.length}): ${old.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '?')}`)
    const change = difference(old, Buffer.from(dialect.writeFields(patched(found, patch)), 'latin1'), 0, old.length)
    if (change !== undefined) out.push({ at: at + change.at, octets: change.octets })
  }
  const inOrder = patches.toSorted((a, b) => a.at - b.at)
  const span = (inOrder.at(-1)?.at ?? 0) - (inOrder[0]?.at ?? 0)
  if (patches.length > MANY && span / patches.length < DENSE) {
    // Many are in one read.
    const window = new FileWindow(held.file, held.stat.size)
    for (const patch of inOrder) {
      if (!window.covers(patch.at, fieldsLength)) await window.move(patch.at)
      compare(patch, window.buffer.subarray(window.index(patch.at), window.index(patch.at) + fieldsLength))
    }
    return out
  }
  await inGroups(inOrder, async (patch) => compare(patch, await fieldsFrom(held.file, patch.at, fieldsLength)))
  return out.sort((a, b) => a.at - b.at)
}
async function fieldsFrom(file: OpenFile, at: number, length: number): Promise<Buffer> {
  const old = Buffer.alloc(length)
  if (file.readNow?.(old, at) !== true) await file.read(old, at)
  return old
}
function headerChanges(before: Buffer, after: Buffer): { readonly own: readonly Change[]; readonly token: readonly Change[] } {
  const tokenAt = after.length - TOKEN_OCTETS - 2
  const own = difference(before, after, 0, tokenAt)
  const token = difference(before, after, tokenAt, after.length)
  return { own: own === undefined ? [] : [own], token: token === undefined ? [] : [token] }
}
/** What must be written for the new octets to stand there. */
function difference(old: Buffer, fresh: Buffer, from: number, to: number): Change | undefined {
  let first = from
  while (first < to && old[first] === fresh[first]) first++
  if (first === to) return undefined
  let last = to
  while (old[last - 1] === fresh[last - 1]) last--
  return { at: first, octets: fresh.subarray(first, last) }
}
async function inGroups<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < list.length; from += PARALLEL) {
    const outcomes = await Promise.allSettled(list.slice(from, from + PARALLEL).map(work))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }
}
