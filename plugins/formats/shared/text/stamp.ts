import type { FileStat } from 'mailwright/api'
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
  readonly mtimeMs: number
  readonly ctimeMs: number
  /** Tells the last change by this server's processes. */
  readonly mark: number
  readonly base: Base
}
type Seen = Pick<FileStat, 'device' | 'inode' | 'size' | 'mtimeMs' | 'ctimeMs'>

/** Of a file that is not there, or empty. */
export function fileState(stat: Seen | undefined, base: Base, mark = 0): FileState {
  return { mark, device: stat?.device ?? 0, inode: stat?.inode ?? 0, size: stat?.size ?? 0, mtimeMs: stat?.mtimeMs ?? 0, ctimeMs: stat?.ctimeMs ?? 0, base }
}

const VERSION = 2
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
