import { MailError, type OpenFile } from 'mailwright/api'
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
function patched(old: Fields, { clear, set, clearKeywords, setKeywords, uid }: Patch): Fields {
  return { keywords: ((old.keywords & ~clearKeywords) | setKeywords) >>> 0, flags: (old.flags & ~clear) | set, uid: uid ?? old.uid }
}

/**
 * Writes fields where they stand. An octet is written whole or not at all, so changes of one octet each need no more than that; when one
 * of them is longer, or the mailbox's own record changes, all go through the redo file.
 */
export async function patchFields(box: FixedFile, held: Held, dialect: Dialect, patches: Patches, header: HeaderChange | undefined): Promise<void> {
  const inRecords = await changesOf(held, dialect, patches)
  const { own, token } = header === undefined || dialect.header === undefined ? { own: [], token: [] } : headerChanges(dialect.header, header)
  if (own.length === 0 && inRecords.every((c) => c.text.length === 1)) {
    await box.settle(held)
    const octets = { at: Float64Array.from(inRecords, (c) => c.at), octets: Uint8Array.from(inRecords, (c) => c.text.charCodeAt(0)) }
    if (inRecords.length >= SEVERAL && (await inOneGo(box, held, token, octets, held.named && dialect.header !== undefined))) return
    // First, so that nobody takes flags for the old ones that are not.
    for (const c of token) await held.file.write([Buffer.from(c.text, 'latin1')], c.at)
    await writeOctetsTo(held.file, octets, held.named && dialect.header !== undefined)
    if (box.changes.durable && inRecords.length > 0) await held.file.sync()
    return
  }
  await box.changes.change(held, { kind: 'rewrite', size: held.stat.size, start: 0 }, async (w) => {
    for (const c of [...own, ...token, ...inRecords]) {
      w.stay(c.at)
      await w.bytes(Buffer.from(c.text, 'latin1'))
    }
    w.stay(held.stat.size)
  })
}

/** A way through the event loop for all calls. False: nothing was written. */
async function inOneGo({ lane, path, changes: { durable } }: FixedFile, { stat: { device, inode } }: Held, first: readonly Change[], octets: Octets, locked: boolean): Promise<boolean> {
  if (lane === undefined) return false
  return writeOctets(lane, { path, device, inode, first, ...octets, locked, durable })
}

/** What is to be written, ascending by place. No object is made of a message whose fields are what they should be. */
async function changesOf({ file, stat }: Held, dialect: Dialect, patches: Patches): Promise<Change[]> {
  const out: Change[] = []
  const { fieldsLength } = dialect
  const compare = (n: number, octets: Buffer, from: number): void => {
    const patch = patches.of(n)
    const found = dialect.readFields(octets, from)
    if (typeof found === 'string') throw invalid(patch, octets.subarray(from, from + fieldsLength))
    const change = difference(octets, from, dialect.writeFields(patched(found, patch)))
    if (change !== undefined) out.push({ at: patch.at + change.from, text: change.text })
  }
  const { count } = patches
  const first = count === 0 ? 0 : patches.placeOf(0)
  if (count > MANY && (patches.placeOf(count - 1) - first) / count < DENSE) {
    // Many are in one read.
    const window = new FileWindow(file, stat.size)
    for (let n = 0; n < count; n++) {
      const at = patches.placeOf(n)
      if (!window.covers(at, fieldsLength)) await window.move(at)
      compare(n, window.buffer, window.index(at))
    }
    return out
  }
  const here = Buffer.allocUnsafe(fieldsLength)
  const waiting: number[] = []
  for (let n = 0; n < count; n++) {
    if (file.readNow?.(here, patches.placeOf(n)) === true) compare(n, here, 0)
    else waiting.push(n)
  }
  for (let from = 0; from < waiting.length; from += PARALLEL) {
    const group = waiting.slice(from, from + PARALLEL)
    const read = await allDone(group.map((n) => fieldsFrom(file, patches.placeOf(n), fieldsLength)))
    for (const [k, n] of group.entries()) compare(n, read[k] ?? here, 0)
  }
  return waiting.length === 0 ? out : out.sort((a, b) => a.at - b.at)
}
function invalid({ i, at }: Patch, old: Buffer): MailError {
  return new MailError('corrupt', `Invalid flags for message ${i + 1} (${at} ${old.length}): ${old.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '?')}`)
}
async function fieldsFrom(file: OpenFile, at: number, length: number): Promise<Buffer> {
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
