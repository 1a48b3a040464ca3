import { isFromLine } from './from-line.js'

/** How a text format sets its messages apart; values, so that they go to another thread as well. */
export interface TextDialect {
  readonly name: 'unix' | 'mmdf'
  /** In texts for people. */
  readonly title: string
  /** Stands in front of every message and behind it, with its LF. Empty: a From line begins a message, and an empty line ends it. */
  readonly delimiter: string
}

/** From lines begin messages, empty lines end them. */
export const unixDialect: TextDialect = { name: 'unix', title: 'UNIX', delimiter: '' }

/** What ends a message: it is no part of its text. */
export function separatorOf({ delimiter }: TextDialect): string {
  return delimiter === '' ? '\n' : delimiter
}

const LF = 10
const CR = 13
/** Octet of which a delimiter consists, up to its LF. */
export const DELIMITING = 1

/** Whether these octets stand at the place. */
export function standsAt(b: Uint8Array, octets: Uint8Array, at: number, end: number = b.length): boolean {
  if (at < 0 || at + octets.length > end) return false
  for (let i = 0; i < octets.length; i++) if (b[at + i] !== octets[i]) return false
  return true
}

/** Where the header of a stored message begins. */
export interface Opening {
  /** Index after delimiter and From line. */
  readonly after: number
  readonly dated: boolean
}
/** Undefined when `b[from, to)` does not begin as a message does. */
export function openingOf({ delimiter }: TextDialect, b: Uint8Array, from: number, to: number): Opening | undefined {
  for (let i = 0; i < delimiter.length; i++) if (from + i >= to || b[from + i] !== delimiter.charCodeAt(i)) return undefined
  const start = from + delimiter.length
  const lf = b.indexOf(LF, start)
  const end = lf < 0 || lf > to ? to : lf
  if (isFromLine(b, start, end > start && b[end - 1] === CR ? end - 1 : end)) return { after: Math.min(end + 1, to), dated: true }
  return delimiter === '' ? undefined : { after: start, dated: false }
}
