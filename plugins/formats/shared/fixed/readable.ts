import type { OpenFile } from 'mailwright/api'
import { BIT, type Dialect } from './dialect.js'
import { FORM, type Place } from './layout.js'
import { fieldsOfLine, parseLine } from './record.js'

/** The mailbox as readers see it. */
export interface Readable {
  readonly dialect: Dialect
  /** Where a message is, hidden ones too. */
  place(uid: number): Place | undefined
  /** When it came, in milliseconds since 1970. */
  cameMs(uid: number): number | undefined
  /** Odd while messages are moved, another one afterwards. */
  epoch(): number
  /** Waits until an operation under way has ended. */
  settled(): Promise<void>
  /** Runs with the open file; undefined when there is none, or it is another mailbox. */
  using<T>(work: (file: OpenFile) => Promise<T>): Promise<T | undefined>
  /** Looks for a message that is not where it should be. */
  relocate(uid: number): Promise<Place | undefined>
}

/** Whether the octets begin with the line of this very message; where none has a number, of one that has its size and came when it did (`cameMs`, where that is known). */
export function isLineOf(dialect: Dialect, place: Pick<Place, 'uid' | 'line' | 'stored' | 'form'>, octets: Buffer, cameMs?: number): boolean {
  if (dialect.header === undefined) {
    const line = parseLine(dialect, octets, 0, octets.length, 0)
    return !('text' in line) && line.length === place.line && line.stored === place.stored && (cameMs === undefined || line.ms === cameMs)
  }
  const line = fieldsOfLine(dialect, octets, place.line)
  if (line?.stored !== place.stored) return false
  const { uid, flags } = line.fields
  // A hidden message may never have got its number.
  return uid === place.uid || (uid === 0 && ((place.form & FORM.numbered) === 0 || (flags & BIT.hidden) !== 0))
}
