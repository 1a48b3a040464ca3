import { UNKNOWN } from '../../api/index.js'
import type { Rows, SearchTerm } from '../../api/index.js'
import { dayOf } from '../../mime/date.js'
import type { SearchContext } from './context.js'

/** Answers for one row out of the columns. */
export type RowTest = (row: number) => boolean

/** The test of a term that columns answer whole; undefined when a message or a fact of one is needed. */
export function columnTest(term: SearchTerm, ctx: SearchContext): RowTest | undefined {
  const { rows } = ctx
  switch (term.kind) {
    case 'and':
    case 'or': {
      const tests: RowTest[] = []
      for (const inner of term.terms) {
        const test = columnTest(inner, ctx)
        if (test === undefined) return undefined
        tests.push(test)
      }
      const [first, second] = tests
      if (first === undefined) return () => term.kind === 'and'
      if (tests.length === 1) return first
      if (first !== undefined && second !== undefined && tests.length === 2) {
        return term.kind === 'and' ? (row) => first(row) && second(row) : (row) => first(row) || second(row)
      }
      return term.kind === 'and' ? (row) => tests.every((test) => test(row)) : (row) => tests.some((test) => test(row))
    }
    case 'not': {
      const test = columnTest(term.term, ctx)
      return test === undefined ? undefined : (row) => !test(row)
    }
    case 'uids': {
      const { set } = term
      const { uid } = rows
      return (row) => set.has(uid[row]!)
    }
    case 'flag':
      return flagTest(term, ctx)
    case 'size':
      return numberTest(rows.size, term)
    case 'modseq':
      return numberTest(rows.modseq, term)
    case 'day':
      return term.of === 'internal' ? dayTest(rows, term.from, term.before) : undefined
    case 'age':
      return ageTest(rows, term, ctx.now?.() ?? Date.now())
    case 'text':
    case 'custom':
      return undefined
    default:
      return term satisfies never
  }
}

/** Whether a term looks at sizes or dates, which may be unknown yet. */
export function looksAtGaps(term: SearchTerm): boolean {
  if (term.kind === 'and' || term.kind === 'or') return term.terms.some(looksAtGaps)
  if (term.kind === 'not') return looksAtGaps(term.term)
  return term.kind === 'size' || term.kind === 'age' || (term.kind === 'day' && term.of !== 'sent')
}

/** Whether a row has one of these gaps. */
export function hasGap(rows: Rows, row: number): boolean {
  return rows.size[row] === UNKNOWN || rows.date[row] === UNKNOWN
}

/** Equal flags share a set, so a set is looked at once and a row costs a look-up. */
function flagTest(term: Extract<SearchTerm, { kind: 'flag' }>, ctx: SearchContext): RowTest {
  const { flagSets, flags } = ctx.rows
  const keyword = term.keyword?.toLowerCase()
  const wanted = term.system ?? 0
  const hits = new Uint8Array(flagSets.length)
  for (let i = 0; i < flagSets.length; i++) {
    const set = flagSets[i]!
    const fits = (set.system & wanted) === wanted && (keyword === undefined || set.keywords.some((k) => k.toLowerCase() === keyword))
    hits[i] = fits ? 1 : 0
  }
  const { recent } = term
  if (recent === undefined) return (row) => hits[flags[row]!] === 1
  return (row) => hits[flags[row]!] === 1 && ctx.isRecent(row) === recent
}

function numberTest(column: Uint32Array | Float64Array, term: { readonly above?: number; readonly below?: number }): RowTest {
  const above = term.above ?? -Infinity
  const below = term.below ?? Infinity
  return (row) => column[row]! > above && column[row]! < below
}

/** RFC 3501 §6.4.4 disregards time and timezone: the day is the one that was written. */
function dayTest(rows: Rows, from = -Infinity, before = Infinity): RowTest {
  const { date, zone } = rows
  return (row) => {
    const day = dayOf(date[row]!, zone[row]!)
    return day >= from && day < before
  }
}

/** RFC 5032: a message exactly that old is both OLDER and YOUNGER. */
function ageTest(rows: Rows, term: { readonly olderS?: number; readonly youngerS?: number }, now: number): RowTest {
  const { date } = rows
  const latest = term.olderS === undefined ? Infinity : now - term.olderS * 1000
  const earliest = term.youngerS === undefined ? -Infinity : now - term.youngerS * 1000
  return (row) => date[row]! <= latest && date[row]! >= earliest
}

