import { ENVELOPE, Pace, uids } from '../../api/index.js'
import type { SearchTerm, StoredMessage, UidSet, Wants } from '../../api/index.js'
import { writeEnvelope } from '../../mime/envelope.js'
import { readHeader } from '../../mime/message.js'
import { columnTest, hasGap, looksAtGaps } from './columns.js'
import type { RowTest } from './columns.js'
import type { SearchContext } from './context.js'
import { envelopeTest } from './envelope-test.js'
import type { EnvelopeTest } from './envelope-test.js'
import { combineTests, invertTest, messageTest, openMessage } from './message-test.js'
import type { MessageTest } from './message-test.js'

/** Rows in ascending order. */
type RowList = Uint32Array

/**
 * A term made ready. The kinds stand in the order of their price: columns, the source's or an index's own answer, envelopes, whole messages. Terms
 * of one kind below an AND or OR are one step, so that each message is read once.
 */
type Step =
  | { readonly kind: 'columns'; readonly test: RowTest }
  | { readonly kind: 'ability'; readonly term: SearchTerm; readonly verify: Step | undefined }
  | { readonly kind: 'envelope'; readonly test: EnvelopeTest }
  | { readonly kind: 'message'; readonly test: MessageTest }
  | { readonly kind: 'and' | 'or'; readonly steps: readonly Step[] }
  | { readonly kind: 'not'; readonly step: Step }

/**
 * Uids of `within` whose messages match. What columns answer is answered without a message; dearer tests run on what is left. The work gives
 * way to others about every ten milliseconds, and stops when the signal says so.
 */
export async function search(term: SearchTerm, within: UidSet, ctx: SearchContext): Promise<UidSet> {
  ctx.signal.throwIfAborted()
  const run = new Run(ctx)
  const candidates = run.rowsOf(within)
  if (ctx.fill !== undefined && ctx.rows.gaps > 0 && looksAtGaps(term)) {
    const { rows } = ctx
    const unknown = candidates.filter((row) => hasGap(rows, row))
    if (unknown.length > 0) await ctx.fill(run.uidsOf(unknown), ctx.signal)
  }
  return run.uidsOf(await run.evaluate(run.prepare(term), candidates))
}

class Run {
  readonly #ctx: SearchContext
  readonly #pace: Pace
  constructor(ctx: SearchContext) {
    this.#ctx = ctx
    this.#pace = new Pace(ctx.signal)
  }

  rowsOf(set: UidSet): RowList {
    const { uid, length } = this.#ctx.rows
    const out = new Uint32Array(Math.min(length, set.count))
    let filled = 0
    for (let i = 0; i < set.ranges.length; i += 2) {
      const last = set.ranges[i + 1]!
      for (let row = firstRowFrom(uid, length, set.ranges[i]!); row < length && uid[row]! <= last; row++) out[filled++] = row
    }
    return out.subarray(0, filled)
  }
  uidsOf(rows: RowList): UidSet {
    const { uid } = this.#ctx.rows
    // A loop: `map` of a typed array calls out for each row.
    const out = new Uint32Array(rows.length)
    for (let i = 0; i < rows.length; i++) out[i] = uid[rows[i]!]!
    return uids.from(out)
  }

  prepare(term: SearchTerm): Step {
    const test = columnTest(term, this.#ctx)
    if (test !== undefined) return { kind: 'columns', test }
    const able = this.#ctx.ability?.can(term)
    if (able === 'exact') return { kind: 'ability', term, verify: undefined }
    const step = this.#prepareHere(term)
    return able === 'superset' ? { kind: 'ability', term, verify: step } : step
  }

  #prepareHere(term: SearchTerm): Step {
    switch (term.kind) {
      case 'and':
      case 'or':
        return group(term.kind, term.terms.map((inner) => this.prepare(inner)))
      case 'not':
        return invert(this.prepare(term.term))
      case 'text':
      case 'custom':
      case 'day': {
        const test = envelopeTest(term)
        return test === undefined ? { kind: 'message', test: messageTest(term) } : { kind: 'envelope', test }
      }
      default:
        throw new TypeError(`columns answer ${term.kind}`)
    }
  }

  async evaluate(step: Step, rows: RowList): Promise<RowList> {
    if (rows.length === 0) return rows
    switch (step.kind) {
      case 'columns':
        return kept(rows, step.test)
      case 'ability': {
        const set = this.uidsOf(rows)
        const found = this.rowsOf((await this.#ctx.ability!.run(step.term, set, this.#ctx.signal)).and(set))
        return step.verify === undefined ? found : this.evaluate(step.verify, found)
      }
      case 'envelope':
        return this.#byEnvelope(step.test, rows)
      case 'message':
        return this.#byMessage(step.test, rows)
      case 'and': {
        let left = rows
        for (const inner of step.steps) left = await this.evaluate(inner, left)
        return left
      }
      case 'or': {
        let open = rows
        let found: RowList = new Uint32Array(0)
        for (const inner of step.steps) {
          const hits = await this.evaluate(inner, open)
          open = without(open, hits)
          found = merged(found, hits)
        }
        return found
      }
      case 'not':
        return without(rows, await this.evaluate(step.step, rows))
      default:
        return step satisfies never
    }
  }

  /** Cached envelopes first; then the reader's, which may have them or derive them; then headers. */
  async #byEnvelope(test: EnvelopeTest, rows: RowList): Promise<RowList> {
    const { signal, rows: table } = this.#ctx
    const cache = this.#ctx.factCache?.(ENVELOPE)
    const hits: number[] = []
    let missing = rows
    if (cache !== undefined) {
      const left: number[] = []
      for (const row of rows) {
        const wire = cache.get(table.uid[row]!)
        if (wire === undefined) left.push(row)
        else if (test(wire)) hits.push(row)
        if ((row & 127) === 0 && this.#pace.due()) await this.#pace.turn()
      }
      missing = Uint32Array.from(left)
    }
    const bare: number[] = []
    await this.#each(missing, { bytes: 'none', sections: [], facts: [ENVELOPE] }, (m, row) => {
      const wire = m.fact?.(ENVELOPE)
      if (wire === undefined) bare.push(row)
      else if (test(wire)) hits.push(row)
    })
    await this.#each(Uint32Array.from(bare), { bytes: 'header', sections: [], facts: [] }, async (m, row) => {
      const wire = writeEnvelope(await readHeader(m, signal))
      cache?.put(m.uid, wire)
      if (test(wire)) hits.push(row)
    })
    return Uint32Array.from(hits).sort()
  }

  async #byMessage(test: MessageTest, rows: RowList): Promise<RowList> {
    const { signal, rows: table } = this.#ctx
    const hits: number[] = []
    await this.#each(rows, test.wants, (m, row) => {
      const opened = openMessage(m, row, table, test.wants, signal)
      if (opened instanceof Promise) {
        return opened.then((late) => test.matches(late)).then((matches) => void (matches && hits.push(row)))
      }
      const matches = test.matches(opened)
      if (typeof matches !== 'boolean') return matches.then((late) => void (late && hits.push(row)))
      if (matches) hits.push(row)
      return undefined
    })
    return Uint32Array.from(hits)
  }

  /** Reads messages and hands them on one by one, giving way in between. Expunged ones are passed over. */
  async #each(rows: RowList, wants: Wants, visit: (m: StoredMessage, row: number) => void | Promise<void>): Promise<void> {
    if (rows.length === 0) return
    const { rows: table, signal } = this.#ctx
    for await (const batch of this.#ctx.read(this.uidsOf(rows), wants, signal)) {
      for (const m of batch) {
        const row = table.find(m.uid)
        if (row === -1) continue
        const wait = visit(m, row)
        if (wait !== undefined) await wait
        if (this.#pace.due()) await this.#pace.turn()
      }
    }
  }
}

const PRICE = { columns: 0, ability: 1, envelope: 2, not: 3, and: 3, or: 3, message: 4 } as const satisfies Record<Step['kind'], number>

/** Steps of an AND or OR, cheapest first, those of one kind made one. */
function group(kind: 'and' | 'or', all: readonly Step[]): Step {
  const columns: RowTest[] = []
  const envelopes: EnvelopeTest[] = []
  const messages: MessageTest[] = []
  const others: Step[] = []
  for (const step of all) {
    if (step.kind === 'columns') columns.push(step.test)
    else if (step.kind === 'envelope') envelopes.push(step.test)
    else if (step.kind === 'message') messages.push(step.test)
    else others.push(step)
  }
  const isAnd = kind === 'and'
  if (columns.length > 0) others.push({ kind: 'columns', test: (row) => (isAnd ? columns.every((t) => t(row)) : columns.some((t) => t(row))) })
  if (envelopes.length > 0) others.push({ kind: 'envelope', test: (wire) => (isAnd ? envelopes.every((t) => t(wire)) : envelopes.some((t) => t(wire))) })
  if (messages.length > 0) others.push({ kind: 'message', test: messages.length === 1 ? messages[0]! : combineTests(kind, cheapestFirst(messages)) })
  if (others.length === 1) return others[0]!
  return { kind, steps: others.sort((a, b) => PRICE[a.kind] - PRICE[b.kind]) }
}

function cheapestFirst(tests: readonly MessageTest[]): readonly MessageTest[] {
  const depth = { none: 0, header: 1, whole: 2 }
  return [...tests].sort((a, b) => depth[a.wants.bytes] - depth[b.wants.bytes])
}

function invert(step: Step): Step {
  if (step.kind === 'envelope') return { kind: 'envelope', test: (wire) => !step.test(wire) }
  if (step.kind === 'message') return { kind: 'message', test: invertTest(step.test) }
  return { kind: 'not', step }
}

/** Rows that pass a test. A loop: `filter` of a typed array calls out for each row, which costs more than a test of columns. */
function kept(rows: RowList, test: RowTest): RowList {
  const out = new Uint32Array(rows.length)
  let filled = 0
  for (let i = 0; i < rows.length; i++) if (test(rows[i]!)) out[filled++] = rows[i]!
  return out.subarray(0, filled)
}

function firstRowFrom(uid: Uint32Array, length: number, first: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (uid[middle]! < first) low = middle + 1
    else high = middle
  }
  return low
}

/** `all` less `some`, both ascending. */
function without(all: RowList, some: RowList): RowList {
  if (some.length === 0) return all
  let i = 0
  return all.filter((row) => {
    while (i < some.length && some[i]! < row) i++
    return some[i] !== row
  })
}

function merged(a: RowList, b: RowList): RowList {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const out = new Uint32Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out.sort()
}
