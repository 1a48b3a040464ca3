import type { Issue, Settings } from './kernel.js'

/** One thing wrong inside a value, as data for a `Problem`. */
export interface Fault {
  /** Relative to the value that was checked: `.timeouts.idle`, `[2].use`; empty for the value itself. */
  readonly path: string
  /** An unknown key has a code of its own. */
  readonly kind: 'unknown-key' | 'value'
  readonly message: string
  readonly hint?: string
}

/** The known word most like a given one; undefined when none is near enough to be what was meant. */
export function nearestName(word: string, known: Iterable<string>): string | undefined {
  const given = word.toLowerCase().replaceAll(/[-_]/g, '')
  let best: string | undefined
  let least = Math.max(2, Math.floor(given.length / 3)) + 1
  for (const name of known) {
    const distance = editDistance(given, name.toLowerCase().replaceAll(/[-_]/g, ''), least)
    if (distance < least) {
      least = distance
      best = name
    }
  }
  return best
}

/** Insertions, deletions, changes and swaps of neighbours; gives up at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min(change, row[j]! + 1, next[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1)
      next.push(best)
    }
    before = row
    row = next
  }
  return row[b.length]!
}

/** `a.b[0]` from the keys of a path. */
function writePath(keys: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  return keys
    .map((step) => (typeof step === 'object' ? step.key : step))
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
}

/** Sentence for an unknown key. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const near = nearestName(word, known)
  if (near !== undefined) return `did you mean "${near}"?`
  return known.length === 0 || known.length > 24 ? undefined : `known here: ${known.toSorted().join(', ')}`
}

/** Faults from the issues of any Standard Schema; a schema made with zod also tells which keys are known. */
export function faultsOf(schema: Settings<unknown>, issues: readonly Issue[], alsoKnown: readonly string[] = []): Fault[] {
  return issues.flatMap((issue): Fault[] => {
    const path = writePath(issue.path ?? [])
    const unknown = unknownKeys(issue)
    if (unknown === undefined) return [{ path, kind: 'value', message: lowerFirst(issue.message) }]
    const known = knownKeys(schema, issue.path ?? [])
    if ((issue.path ?? []).length === 0) known.push(...alsoKnown)
    return unknown.map((key) => {
      const hint = didYouMean(key, known)
      return { path: `${path}.${key}`, kind: 'unknown-key', message: 'unknown setting', ...(hint === undefined ? {} : { hint }) }
    })
  })
}

const lowerFirst = (text: string): string => (/^[A-Z][a-z]/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text)

/** zod's issue for keys that a strict object does not know. */
function unknownKeys(issue: Issue): readonly string[] | undefined {
  if (!('code' in issue) || issue.code !== 'unrecognized_keys' || !('keys' in issue) || !Array.isArray(issue.keys)) return undefined
  return issue.keys.filter((key): key is string => typeof key === 'string')
}

/** Keys of the object at a path of a zod schema, found by looking, so that no version of zod is required. */
function knownKeys(schema: unknown, path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string[] {
  let at = unwrap(schema)
  for (const step of path) {
    const key = typeof step === 'object' ? step.key : step
    if (typeof key === 'number') at = unwrap(member(member(at, 'def'), 'element'))
    else at = unwrap(member(member(at, 'shape'), key) ?? member(member(at, 'def'), 'valueType'))
  }
  const shape = member(at, 'shape')
  return typeof shape === 'object' && shape !== null ? Object.keys(shape) : []
}

function unwrap(schema: unknown): unknown {
  for (let at = schema; ; ) {
    const inner = member(member(at, 'def'), 'innerType') ?? member(member(at, 'def'), 'in')
    if (inner === undefined) return at
    at = inner
  }
}

function member(of: unknown, key: PropertyKey): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, key) : undefined
}
