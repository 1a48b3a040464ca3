import type { FileStat, OpenFile } from 'mailwright/api'
import type { TextDialect } from './dialect.js'

/** Where the mailbox keeps UIDVALIDITY and the last number: in a record of its own, in its first message, or nowhere yet. */
export interface Base {
  readonly kind: 'record' | 'first' | 'none'
  readonly validity: number
  readonly last: number
  /** Place of the last number's digits in the file. */
  readonly digitsAt: number
  readonly digits: number
  /** Octets of the record; 0 without one. */
  readonly recordLength: number
  /** The record has the form that other programs know. */
  readonly standard: boolean
  /** Spelt and ordered as in the file. */
  readonly keywords: readonly string[]
}
export const NO_BASE: Base = { kind: 'none', validity: 0, last: 0, digitsAt: 0, digits: 0, recordLength: 0, standard: true, keywords: [] }

/** The state of the file that rows and columns describe. */
export interface FileState {
  readonly device: number
  readonly inode: number
  readonly size: number
  readonly atimeMs: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  /** Tells the last change by this server's processes. */
  readonly mark: number
  readonly base: Base
}
type Seen = Pick<FileStat, 'device' | 'inode' | 'size' | 'atimeMs' | 'mtimeMs' | 'ctimeMs'>

/** Of a file that is not there, or empty. */
export function fileState(stat: Seen | undefined, base: Base, mark = 0): FileState {
  return { mark, device: stat?.device ?? 0, inode: stat?.inode ?? 0, size: stat?.size ?? 0, atimeMs: stat?.atimeMs ?? 0, mtimeMs: stat?.mtimeMs ?? 0, ctimeMs: stat?.ctimeMs ?? 0, base }
}

const VERSION = 3
export function encodeStamp({ name }: TextDialect, s: FileState): string {
  return JSON.stringify([`${name}/${VERSION}`, s])
}
/** Undefined for what another version or another format wrote. */
export function decodeStamp({ name }: TextDialect, stamp: string | undefined): FileState | undefined {
  if (stamp === undefined) return undefined
  try {
    const [version, state] = JSON.parse(stamp) as [string, FileState]
    return version === `${name}/${VERSION}` ? state : undefined
  } catch {
    return undefined
  }
}

/** A change of content this short before the inode's last change may hide behind an equal modification time. */
const SUSPICIOUS_MS = 3000

export type Difference = 'same' | 'grown' | 'other'
/**
 * What happened to the file. Times of access and modification are set by mail programs, so a changed inode time alone
 * means little, unless the content was written at about the same time.
 */
export function compare(known: FileState, now: Seen | undefined): Difference {
  if (now === undefined) return known.inode === 0 ? 'same' : 'other'
  if (now.device !== known.device || now.inode !== known.inode || now.size < known.size) return 'other'
  if (now.size > known.size) return 'grown'
  if (now.mtimeMs !== known.mtimeMs) return 'other'
  return now.ctimeMs !== known.ctimeMs && now.ctimeMs - now.mtimeMs < SUSPICIOUS_MS ? 'other' : 'same'
}

/** By others than its owner: they can write what they like, and give the file no times. */
const WRITABLE_BY_OTHERS = 0o022
/** Digits as the file has them, at most so many. */
const MOST_DIGITS = 32
/**
 * Whether a file that grew was only appended to, by programs that deliver. Whoever changes what was there leaves a trace: processes of this server another
 * mark where they can, all programs of the family a time of access, and another last number where they gave one.
 */
export async function onlyGrew(known: FileState, { file, stat, mark }: { readonly file: Pick<OpenFile, 'read' | 'readSomeNow'>; readonly stat: FileStat; readonly mark: number }): Promise<boolean> {
  if (known.size === 0 || known.mark !== mark || known.atimeMs !== stat.atimeMs) return false
  if (mark === 0 && (stat.mode & WRITABLE_BY_OTHERS) !== 0) return false
  const numbers = await numbersAt(known.base, file)
  return numbers !== undefined && numbers.validity === known.base.validity && numbers.last === known.base.last
}
/** Octets before the last number's digits in which UIDVALIDITY stands. */
const BEFORE_LAST = 32
/** UIDVALIDITY and last number where they stood, as known where they stand nowhere; undefined: something else is there. */
export async function numbersAt(known: Base, file: Pick<OpenFile, 'read' | 'readSomeNow'>): Promise<Pick<Base, 'validity' | 'last'> | undefined> {
  const { kind, digits, digitsAt } = known
  if (kind === 'none') return known
  const from = Math.max(0, digitsAt - BEFORE_LAST)
  const there = Buffer.alloc(digitsAt - from + Math.min(digits, MOST_DIGITS))
  const text = there.toString('latin1', 0, file.readSomeNow?.(there, from) ?? (await file.read(there, from)))
  const found = /(\d+)[ \t]+$/.exec(text.slice(0, digitsAt - from))
  const last = text.slice(digitsAt - from)
  return found === null || !/^\d+$/.test(last) ? undefined : { validity: Number(found[1]), last: Number(last) }
}
