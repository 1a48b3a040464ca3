import type { UidSet } from 'mailwright/api'
import { hex, type Dialect } from './dialect.js'
import { fieldChanges, type Change } from './field-changes.js'
import type { FileHeader, HeaderKind } from './file-header.js'
import type { FixedFile, Held } from './fixed-file.js'
import type { Layout } from './layout.js'
import { writeOctetsTo, type Octets } from './octet-writes.js'
import { writeOctets } from './octets-task.js'
import { Patches, type FieldsChange } from './patches.js'

/** The mailbox's own record as it stands and as it is to be. */
export interface HeaderChange {
  readonly before: FileHeader
  readonly after: FileHeader
}
/** So many octets are written in one go. */
const SEVERAL = 8
const PAGE = 4096
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
/** One change of all messages of the set. */
export function patchesOf(dialect: Dialect, layout: Layout, set: UidSet, change: FieldsChange): Patches {
  const patches = new Patches()
  const { ranges } = set
  const behind = dialect.lineEnd.length + dialect.fieldsLength
  const { count, uid, offset, line } = layout
  // No call for each message but one: a STORE of all of them runs this while nothing is compiled.
  for (let r = 0; r + 1 < ranges.length; r += 2) {
    const last = ranges[r + 1] ?? 0
    for (let i = layout.firstFrom(ranges[r] ?? 0); i < count && (uid[i] ?? 0) <= last; i++) patches.push(i, (offset[i] ?? 0) + (line[i] ?? 0) - behind, change)
  }
  return patches
}

/**
 * Writes fields where they stand. An octet is written whole or not at all, so changes of one octet each need no more than that; when one
 * of them is longer, or the mailbox's own record changes, all go through the redo file. Changes of many pages, and those that follow
 * them, are durable in a log first; whoever calls says then how the mailbox was left (`noteAhead`).
 */
export async function patchFields(box: FixedFile, held: Held, dialect: Dialect, patches: Patches, header: HeaderChange | undefined): Promise<void> {
  // Programs that have it open change flags at any time: what is synced is synced before fields are read, so that none of theirs is written over.
  const isShared = dialect.header === undefined && !box.isAlone
  if (isShared) {
    await box.settle(held)
    await box.finishAhead(held)
  }
  const { single, longer } = await fieldChanges(held, dialect, patches)
  const { own, token } = header === undefined || dialect.header === undefined ? { own: [], token: [] } : headerChanges(dialect.header, header)
  if (own.length === 0 && longer.length === 0) {
    await box.settle(held)
    const before = held.ahead
    const isAhead = !isShared && single.at.length > 0 && (before !== undefined || pagesOf(single.at) >= box.aheadFrom) && (await box.writeAhead(held, single))
    if (!isAhead) await box.finishAhead(held)
    try {
      await write(box, held, dialect, token, single, box.changes.durable && !isAhead)
    } catch (error) {
      if (isAhead) await box.unsayAhead(held, before)
      throw error
    }
    return
  }
  await box.finishAhead(held)
  await box.changes.change(held, { kind: 'rewrite', size: held.stat.size, start: 0 }, async (w) => {
    for (const { at, octets } of [...own, ...token, ...inOrder(single, longer)]) {
      w.stay(at)
      await w.bytes(octets)
    }
    w.stay(held.stat.size)
  })
}

function inOrder({ at, octets }: Octets, longer: readonly Change[]): Change[] {
  const single = Array.from(at, (place, n) => ({ at: place, octets: octets.slice(n, n + 1) }))
  return [...single, ...longer].sort((a, b) => a.at - b.at)
}

async function write({ lane, path }: FixedFile, { file, named, stat: { device, inode } }: Held, dialect: Dialect, first: readonly Change[], { at, octets }: Octets, durable: boolean): Promise<void> {
  const locked = named && dialect.header !== undefined
  // A way through the event loop for all calls, where that can be.
  if (lane !== undefined && at.length >= SEVERAL && (await writeOctets(lane, { path, device, inode, first, at, octets, locked, durable }))) return
  // First, so that nobody takes flags for the old ones that are not.
  for (const c of first) await file.write([c.octets], c.at)
  await writeOctetsTo(file, { at, octets }, locked)
  if (durable && at.length > 0) await file.sync()
}
/** Pages of memory, and of most disks, that change. */
function pagesOf(at: Float64Array): number {
  let pages = 0
  let last = -1
  for (let n = 0; n < at.length; n++) {
    const page = Math.floor((at[n] ?? 0) / PAGE)
    if (page !== last) pages++
    last = page
  }
  return pages
}

function headerChanges(kind: HeaderKind, { before, after }: HeaderChange): { readonly own: readonly Change[]; readonly token: readonly Change[] } {
  if (isSameButToken(before, after)) return { own: [], token: before.token === after.token ? [] : [{ at: kind.length - TOKEN_OCTETS - 2, octets: octetsOf(after.token) }] }
  const [old, fresh] = [kind.write(before), kind.write(after)]
  const tokenAt = fresh.length - TOKEN_OCTETS - 2
  return { own: difference(old, fresh, 0, tokenAt), token: difference(old, fresh, tokenAt, fresh.length) }
}
function isSameButToken(a: FileHeader, b: FileHeader): boolean {
  const sameKeywords = a.keywords.length === b.keywords.length && a.keywords.every((name, bit) => name === b.keywords[bit])
  return a.token.length === TOKEN_OCTETS && b.token.length === TOKEN_OCTETS && a.validity === b.validity && a.last === b.last && sameKeywords
}
/** In memory of its own, since it may go to another thread. */
function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'))
}
/** What must be written between two places for the fresh octets to stand there. */
function difference(old: Buffer, fresh: Buffer, from: number, to: number): readonly Change[] {
  let first = from
  while (first < to && old[first] === fresh[first]) first++
  if (first === to) return []
  let last = to
  while (old[last - 1] === fresh[last - 1]) last--
  return [{ at: first, octets: Uint8Array.from(fresh.subarray(first, last)) }]
}
