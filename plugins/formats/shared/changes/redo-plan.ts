import type { ContentWriter } from '../content-writer.js'

/*
 * New content of a mailbox as a plan: octets that it has already, by place, and others, literally. It costs some octets for each run of
 * messages that stay together, however long they are. Places in the mailbox rise from one operation to the next.
 */

/** Octets `at … at + length` of the new content: those that stand at `from` in the mailbox, or these. */
export type PlanOp = { readonly at: number; readonly length: number } & ({ readonly from: number } | { readonly octets: Uint8Array })

/** What a mailbox is to become. */
export class Plan {
  /** Octets before it stay as they are. */
  readonly start: number
  readonly ops: readonly PlanOp[]
  readonly end: number
  /** For each operation the first at it or behind that moves octets. */
  readonly #moving: Int32Array

  constructor(start: number, ops: readonly PlanOp[]) {
    this.start = start
    this.ops = ops
    const last = ops[ops.length - 1]
    this.end = last === undefined ? start : last.at + last.length
    this.#moving = new Int32Array(ops.length)
    let next = -1
    for (let i = ops.length - 1; i >= 0; i--) {
      if (moves(ops[i])) next = i
      this.#moving[i] = next
    }
  }
  /** The same with octets behind all others. */
  with(from: number, to: number): Plan {
    return new Plan(this.start, [...this.ops, { at: this.end, length: to - from, from }])
  }
  /** Index of the operation that makes this octet of the new content. */
  find(at: number): number {
    let low = 0
    let high = this.ops.length
    while (low + 1 < high) {
      const middle = (low + high) >>> 1
      if ((this.ops[middle]?.at ?? 0) <= at) low = middle
      else high = middle
    }
    return low
  }
  /** First octet of the mailbox that is moved for the new content from `at` on; Infinity when none is. */
  movedFrom(at: number): number {
    if (at >= this.end) return Number.POSITIVE_INFINITY
    const op = this.ops[this.#moving[this.find(at)] ?? -1]
    return op !== undefined && 'from' in op ? op.from + Math.max(0, at - op.at) : Number.POSITIVE_INFINITY
  }
  /** Behind the last octet of the mailbox that the new content has. */
  get usedTo(): number {
    for (let i = this.ops.length - 1; i >= 0; i--) {
      const op = this.ops[i]
      if (op !== undefined && 'from' in op) return op.from + op.length
    }
    return this.start
  }
  /** How far octets are moved towards the end, at most. */
  get mostGrowth(): number {
    return this.ops.reduce((most, op) => ('from' in op ? Math.max(most, op.at - op.from) : most), 0)
  }
}
/** Whether it writes octets that stand elsewhere in the mailbox. */
function moves(op: PlanOp | undefined): boolean {
  return op !== undefined && 'from' in op && op.from !== op.at
}
/** Whether it leaves octets where they are. */
export function stands(op: PlanOp): boolean {
  return 'from' in op && op.from === op.at
}

/** Notes new content as a plan, without reading what is copied. */
export class PlanWriter implements ContentWriter {
  readonly sparing = true
  at: number
  readonly #start: number
  readonly #ops: ({ at: number; length: number } & ({ from: number } | { parts: Uint8Array[] }))[] = []

  constructor(start: number) {
    this.#start = start
    this.at = start
  }
  get plan(): Plan {
    return new Plan(this.#start, this.#ops.map((op) => ('from' in op ? op : { at: op.at, length: op.length, octets: Buffer.concat(op.parts) })))
  }
  stay(to: number): void {
    this.#copy(this.at, to)
  }
  async bytes(part: Uint8Array): Promise<void> {
    if (part.length === 0) return
    const last = this.#ops[this.#ops.length - 1]
    // Whoever hands them over may use the memory again.
    const copy = Uint8Array.from(part)
    if (last !== undefined && 'parts' in last) {
      last.parts.push(copy)
      last.length += copy.length
    } else this.#ops.push({ at: this.at, length: copy.length, parts: [copy] })
    this.at += copy.length
    await Promise.resolve()
  }
  async copy(from: number, to: number): Promise<void> {
    this.#copy(from, to)
    await Promise.resolve()
  }
  async edited(part: Uint8Array, old: Uint8Array, from: number): Promise<void> {
    let same = 0
    while (same < part.length && part[same] === old[same]) same++
    this.#copy(from, from + same)
    await this.bytes(part.subarray(same))
  }
  #copy(from: number, to: number): void {
    if (to <= from) return
    const last = this.#ops[this.#ops.length - 1]
    if (last !== undefined && 'from' in last && last.from + last.length === from) last.length += to - from
    else this.#ops.push({ at: this.at, length: to - from, from })
    this.at += to - from
  }
}

/** Octets of a plan: for each operation its length, doubled, with 1 for a literal; the distance of its source from the last one, or its octets. */
export function encodePlan({ start, ops }: Plan): Buffer {
  const parts: Uint8Array[] = [number(start)]
  let source = start
  for (const op of ops) {
    if ('from' in op) {
      parts.push(number(2 * op.length), number(op.from - source))
      source = op.from + op.length
    } else parts.push(number(2 * op.length + 1), op.octets)
  }
  return Buffer.concat(parts)
}
/** The plan of these octets, which `encodePlan` made. */
export function decodePlan(octets: Buffer): Plan {
  let i = 0
  const next = (): number => {
    let value = 0
    for (let weight = 1; ; weight *= 128) {
      const octet = octets[i++] ?? 0
      value += (octet % 128) * weight
      if (octet < 128) return value
    }
  }
  const start = next()
  const ops: PlanOp[] = []
  let at = start
  let source = start
  while (i < octets.length) {
    const head = next()
    const length = Math.floor(head / 2)
    if (head % 2 === 0) {
      const from = source + next()
      ops.push({ at, length, from })
      source = from + length
    } else {
      ops.push({ at, length, octets: octets.subarray(i, i + length) })
      i += length
    }
    at += length
  }
  return new Plan(start, ops)
}
/** Seven bits in each octet, the lowest first; all but the last have the eighth. */
function number(n: number): Buffer {
  const out: number[] = []
  let rest = n
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128)
  out.push(rest)
  return Buffer.from(out)
}
