/** Wildcards of one LIST pattern; more is refused (the original's bound). */
export const MAX_WILDCARDS = 10

/**
 * RFC 3501 §6.3.8: `*` matches anything, `%` anything without the hierarchy delimiter. In time proportional to name times pattern.
 */
export function matchesPattern(name: string, pattern: string, delimiter: string | undefined): boolean {
  // Places in the pattern that can be reached after what was read so far.
  let here = reach(pattern, [0])
  // By units of the string, as the pattern is: letters beyond the first plane have two.
  for (const c of name.split('')) {
    const next: number[] = []
    for (const at of here) {
      const p = pattern[at]
      if (p === '*' || (p === '%' && c !== delimiter)) next.push(at)
      else if (p !== undefined && p !== '%' && p === c) next.push(at + 1)
    }
    if (next.length === 0) return false
    here = reach(pattern, next)
  }
  return here.includes(pattern.length)
}
/** Wildcards also match nothing. */
function reach(pattern: string, from: readonly number[]): number[] {
  const out = new Set<number>()
  for (let at of from) {
    out.add(at)
    while (pattern[at] === '*' || pattern[at] === '%') out.add(++at)
  }
  return [...out]
}
/** INBOX in any capitals (RFC 3501 §5.1). */
export function matchesInbox(pattern: string, delimiter: string | undefined): boolean {
  return matchesPattern('INBOX', pattern.toUpperCase(), delimiter)
}
/** A pattern within a reference, as the original reads them. */
export function composePattern(reference: string, pattern: string): string {
  if (pattern.startsWith('#')) return pattern
  if (pattern.startsWith('/') || pattern.startsWith('~')) {
    if (!reference.startsWith('#')) return pattern
    const slash = reference.indexOf('/')
    if (pattern.startsWith('/') && slash >= 0) return reference.slice(0, slash) + pattern
  }
  return reference + pattern
}
/** What stands before the first wildcard. */
export function literalPart(pattern: string): string {
  const at = pattern.search(/[*%]/)
  return at < 0 ? pattern : pattern.slice(0, at)
}
/** Number of wildcards. */
export function wildcards(pattern: string): number {
  return pattern.length - pattern.replaceAll(/[*%]/g, '').length
}
