import { MailError } from 'mailwright/api'
import { hex, type Dialect, type Fields } from './dialect.js'
import type { FileHeader } from './file-header.js'
import type { FixedFile, Held } from './fixed-file.js'
import type { Layout } from './layout.js'
import { writeOctets } from './octets-task.js'
import { FileWindow } from './window.js'

/** New fields of message `i`, from those in the file. */
export interface Patch {
  readonly i: number
  fields(old: Fields): Fields
}
interface Change {
  readonly at: number
  readonly octets: Buffer
}
/** Small reads or writes under way at the same time. */
const PARALLEL = 32
/** So many octets are written in one go. */
const SEVERAL = 8
/** Above, fields are not read one by one. */
const MANY = 256
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

/**
 * Writes fields where they stand. An octet is written whole or not at all, so changes of one octet each need no more than that; when one
 * of them is longer, or the mailbox's own record changes, all go through the redo file.
 */
export async function patchFields(
  box: FixedFile,
  held: Held,
  dialect: Dialect,
  layout: Layout,
  patches: readonly Patch[],
  header?: { readonly before: FileHeader; readonly after: FileHeader },
): Promise<void> {
  const inRecords = await changesOf(held, dialect, layout, patches)
  const { own, token } = header === undefined || dialect.header === undefined ? { own: [], token: [] } : headerChanges(dialect.header.write(header.before), dialect.header.write(header.after))
  if (own.length === 0 && inRecords.every((c) => c.octets.length === 1)) {
    await box.changes.settle(held)
    if (inRecords.length >= SEVERAL && (await inOneGo(box, held, token, inRecords))) return
    // First, so that nobody takes flags for the old ones that are not.
    for (const c of token) await held.file.write([c.octets], c.at)
    await inGroups(inRecords, (c) => held.file.write([c.octets], c.at))
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

/** A call for each octet, and a way through the event loop for all of them. False: nothing was written. */
async function inOneGo({ lane, path, changes: { durable } }: FixedFile, { stat: { device, inode } }: Held, token: readonly Change[], inRecords: readonly Change[]): Promise<boolean> {
  if (lane === undefined) return false
  const first = token.map(({ at, octets }) => ({ at, text: octets.toString('latin1') }))
  return writeOctets(lane, { path, device, inode, first, at: Float64Array.from(inRecords, (c) => c.at), octets: Uint8Array.from(inRecords, (c) => c.octets[0] ?? 0), durable })
}

async function changesOf(held: Held, dialect: Dialect, layout: Layout, patches: readonly Patch[]): Promise<Change[]> {
  const out: Change[] = []
  const compare = ({ i, fields }: Patch, at: number, old: Buffer): void => {
    const found = dialect.readFields(old, 0)
    if (typeof found === 'string') throw new MailError('corrupt', `Invalid flags for message ${i + 1} (${at} ${old.length}): ${old.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '?')}`)
    const change = difference(old, Buffer.from(dialect.writeFields(fields(found)), 'latin1'), 0, old.length)
    if (change !== undefined) out.push({ at: at + change.at, octets: change.octets })
  }
  if (patches.length > MANY) {
    // One after the other in the file, so that many are in one read.
    const window = new FileWindow(held.file, held.stat.size)
    for (const patch of patches.toSorted((a, b) => a.i - b.i)) {
      const at = fieldsAt(dialect, layout, patch.i)
      if (!window.covers(at, dialect.fieldsLength)) await window.move(at)
      compare(patch, at, window.buffer.subarray(window.index(at), window.index(at) + dialect.fieldsLength))
    }
    return out
  }
  await inGroups(patches, async (patch) => {
    const at = fieldsAt(dialect, layout, patch.i)
    const old = Buffer.alloc(dialect.fieldsLength)
    if (held.file.readNow?.(old, at) !== true) await held.file.read(old, at)
    compare(patch, at, old)
  })
  return out.sort((a, b) => a.at - b.at)
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
