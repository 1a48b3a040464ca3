import { headerEnd } from 'mailwright/toolkit'
import { KERNEL_ROOM, lineKernel } from 'mailwright/toolkit'
import type { Dialect } from './dialect.js'

const LF = 10
const CR = 13
/** Below, the copy into the kernel costs more than it saves. */
const SMALL = 1 << 10

/** How often an octet stands there. */
function count(octets: Buffer, octet: number): number {
  if (octets.length < SMALL) {
    let n = 0
    for (const c of octets) if (c === octet) n++
    return n
  }
  const kernel = lineKernel()
  let n = 0
  for (let at = 0; at < octets.length; at += KERNEL_ROOM) {
    const part = octets.subarray(at, at + KERNEL_ROOM)
    kernel.load(part)
    n += kernel.count(0, part.length, octet)
  }
  return n
}
/** Octets that a client gets for stored ones. */
function clientOctets(dialect: Dialect, stored: Buffer): number {
  return dialect.text === 'as-is' ? stored.length : stored.length + count(stored, LF) - (stored.includes(CR) ? count(stored, CR) : 0)
}
/** Octets of the header as a client gets it, with its empty line; 0 when it goes on behind the octets, which are not all. */
export function clientHeader(dialect: Dialect, stored: Buffer, whole: boolean): number {
  const end = headerEnd(stored)
  // The end of the octets is taken for the end of the header where no empty line ends it.
  if (end === stored.length && !whole && !endsEmpty(stored)) return 0
  return clientOctets(dialect, stored.subarray(0, end))
}
function endsEmpty(octets: Buffer): boolean {
  const last = octets.length - 1
  if (octets[last] !== LF) return false
  const before = octets[last - 1] === CR ? last - 2 : last - 1
  return before < 0 || octets[before] === LF
}

/** Octets of the header and of all, as a client gets them, of a message that is there whole. */
export function measured(dialect: Dialect, stored: Buffer): { readonly header: number; readonly size: number } {
  const header = clientHeader(dialect, stored, true)
  return { header, size: clientOctets(dialect, stored) }
}
/** Measures a message that comes in pieces. */
export class Measure {
  readonly #dialect: Dialect
  #head: Buffer | undefined = Buffer.alloc(0)
  header = 0
  size = 0
  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }
  /** Stored octets, in order. */
  add(stored: Buffer): void {
    this.size += clientOctets(this.#dialect, stored)
    if (this.#head === undefined) return
    this.#head = Buffer.concat([this.#head, stored])
    this.header = clientHeader(this.#dialect, this.#head, false)
    if (this.header > 0) this.#head = undefined
  }
  /** All of it was added: without an empty line it is all header. */
  end(): void {
    if (this.#head !== undefined) this.header = this.size
    this.#head = undefined
  }
}
