import { MailError, type OpenFile } from 'mailwright/api'
import { PROOF, proofOf, tailOf } from '../changes/ahead-format.js'
import { hex, type Dialect, type Fields } from './dialect.js'
import type { FileHeader, HeaderKind } from './file-header.js'
import type { FixedFile, Held } from './fixed-file.js'
import type { Layout } from './layout.js'
import { writeOctetsTo, type Octets } from './octet-writes.js'
import { writeOctets } from './octets-task.js'
import type { Patch, Patches } from './patches.js'
import { FileWindow } from './window.js'

/** The mailbox's own record as it stands and as it is to be. */
export interface HeaderChange {
  readonly before: FileHeader
  readonly after: FileHeader
}
interface Change {
  readonly at: number
  /** An octet each. */
  readonly text: string
}
/** A change of fields. */
interface FieldsChanged extends Change {
  /** The first octet as it stood there. */
  readonly old: number
  /** How far before it what proves the message begins, and its check sum. */
  readonly back: number
  readonly proof: number
}
/** Small reads or writes under way at the same time. */
const PARALLEL = 32
/** So many octets are written in one go. */
const SEVERAL = 8
/** Above, fields of messages that lie close together are not read one by one. */
const MANY = 256
/** Octets from message to message, on average, up to which they lie so. */
const DENSE = 1 << 14
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
function patched(old: Fields, { clear, set, clearKeywords, setKeywords, uid }: Patch): Fields {
  return { keywords: ((old.keywords & ~clearKeywords) | setKeywords) >>> 0, flags: (old.flags & ~clear) | set, uid: uid ?? old.uid }
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
  const inRecords = await changesOf(held, dialect, patches)
  const { own, token } = header === undefined || dialect.header === undefined ? { own: [], token: [] } : headerChanges(dialect.header, header)
  if (own.length === 0 && inRecords.every((c) => c.text.length === 1)) {
    await box.settle(held)
    const octets = {
      at: Float64Array.from(inRecords, (c) => c.at),
      old: Uint8Array.from(inRecords, (c) => c.old),
      octets: Uint8Array.from(inRecords, (c) => c.text.charCodeAt(0)),
      back: Uint8Array.from(inRecords, (c) => c.back),
      proof: Uint32Array.from(inRecords, (c) => c.proof),
      tail: tailOf(dialect.fieldsLength),
    }
    const before = held.ahead
    const isAhead = !isShared && inRecords.length > 0 && (before !== undefined || pagesOf(octets.at) >= box.aheadFrom) && (await box.writeAhead(held, octets))
    if (!isAhead) await box.finishAhead(held)
    try {
      await write(box, held, dialect, token, octets, box.changes.durable && !isAhead)
    } catch (error) {
      if (isAhead) await box.unsayAhead(held, before)
      throw error
    }
    return
  }
  await box.finishAhead(held)
  await box.changes.change(held, { kind: 'rewrite', size: held.stat.size, start: 0 }, async (w) => {
    for (const c of [...own, ...token, ...inRecords]) {
      w.stay(c.at)
      await w.bytes(Buffer.from(c.text, 'latin1'))
    }
    w.stay(held.stat.size)
  })
}

async function write({ lane, path }: FixedFile, { file, named, stat: { device, inode } }: Held, dialect: Dialect, first: readonly Change[], { at, octets }: Octets, durable: boolean): Promise<void> {
  const locked = named && dialect.header !== undefined
  // A way through the event loop for all calls, where that can be.
  if (lane !== undefined && at.length >= SEVERAL && (await writeOctets(lane, { path, device, inode, first, at, octets, locked, durable }))) return
  // First, so that nobody takes flags for the old ones that are not.
  for (const c of first) await file.write([Buffer.from(c.text, 'latin1')], c.at)
  await writeOctetsTo(file, { at, octets }, locked)
  if (durable && at.length > 0) await file.sync()
}
/** Pages of memory, and of most disks, that change. */
function pagesOf(at: Float64Array): number {
  let pages = 0
  let last = -1
  for (const place of at) {
    const page = Math.floor(place / PAGE)
    if (page !== last) pages++
    last = page
  }
  return pages
}

/** What is to be written, ascending by place. No object is made of a message whose fields are what they should be. */
async function changesOf({ file, stat }: Held, dialect: Dialect, patches: Patches): Promise<FieldsChanged[]> {
  const out: FieldsChanged[] = []
  const { fieldsLength } = dialect
  /** What is read of each message: the proof, and the fields. */
  const length = PROOF + fieldsLength
  const compare = (n: number, octets: Buffer, start: number): void => {
    const from = start + PROOF
    const patch = patches.of(n)
    const found = dialect.readFields(octets, from)
    if (typeof found === 'string') throw invalid(patch, octets.subarray(from, from + fieldsLength))
    const change = difference(octets, from, dialect.writeFields(patched(found, patch)))
    if (change === undefined) return
    out.push({ at: patch.at + change.from, text: change.text, old: octets[from + change.from] ?? 0, back: PROOF + change.from, proof: proofOf(octets, start, tailOf(fieldsLength)) })
  }
  const { count } = patches
  const first = count === 0 ? 0 : patches.placeOf(0)
  if (count > MANY && (patches.placeOf(count - 1) - first) / count < DENSE) {
    // Many are in one read.
    const window = new FileWindow(file, stat.size)
    for (let n = 0; n < count; n++) {
      const at = patches.placeOf(n) - PROOF
      if (!window.covers(at, length)) await window.move(at)
      compare(n, window.buffer, window.index(at))
    }
    return out
  }
  const here = Buffer.allocUnsafe(length)
  const waiting: number[] = []
  for (let n = 0; n < count; n++) {
    if (file.readNow?.(here, patches.placeOf(n) - PROOF) === true) compare(n, here, 0)
    else waiting.push(n)
  }
  for (let from = 0; from < waiting.length; from += PARALLEL) {
    const group = waiting.slice(from, from + PARALLEL)
    const read = await allDone(group.map((n) => octetsFrom(file, patches.placeOf(n) - PROOF, length)))
    for (const [k, n] of group.entries()) compare(n, read[k] ?? here, 0)
  }
  return waiting.length === 0 ? out : out.sort((a, b) => a.at - b.at)
}
function invalid({ i, at }: Patch, old: Buffer): MailError {
  return new MailError('corrupt', `Invalid flags for message ${i + 1} (${at} ${old.length}): ${old.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '?')}`)
}
async function octetsFrom(file: OpenFile, at: number, length: number): Promise<Buffer> {
  const old = Buffer.alloc(length)
  await file.read(old, at)
  return old
}
function headerChanges(kind: HeaderKind, { before, after }: HeaderChange): { readonly own: readonly Change[]; readonly token: readonly Change[] } {
  if (isSameButToken(before, after)) return { own: [], token: before.token === after.token ? [] : [{ at: kind.length - TOKEN_OCTETS - 2, text: after.token }] }
  const [old, fresh] = [kind.write(before), kind.write(after).toString('latin1')]
  const tokenAt = fresh.length - TOKEN_OCTETS - 2
  const own = difference(old, 0, fresh.slice(0, tokenAt))
  const token = difference(old, tokenAt, fresh.slice(tokenAt))
  return { own: own === undefined ? [] : [{ at: own.from, text: own.text }], token: token === undefined ? [] : [{ at: tokenAt + token.from, text: token.text }] }
}
function isSameButToken(a: FileHeader, b: FileHeader): boolean {
  const sameKeywords = a.keywords.length === b.keywords.length && a.keywords.every((name, bit) => name === b.keywords[bit])
  return a.token.length === TOKEN_OCTETS && b.token.length === TOKEN_OCTETS && a.validity === b.validity && a.last === b.last && sameKeywords
}
/** What of the text must be written for it to stand where it is to begin, and from which of its octets on. */
function difference(old: Buffer, at: number, fresh: string): { readonly from: number; readonly text: string } | undefined {
  let first = 0
  while (first < fresh.length && old[at + first] === fresh.charCodeAt(first)) first++
  if (first === fresh.length) return undefined
  let last = fresh.length
  while (old[at + last - 1] === fresh.charCodeAt(last - 1)) last--
  return { from: first, text: fresh.slice(first, last) }
}
/** Each has ended when the first failure is thrown: nothing writes to the file any more then. */
async function allDone<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  const outcomes = await Promise.allSettled(work)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
