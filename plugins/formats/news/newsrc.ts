import { MailError } from 'mailwright/api'

/*
 * `.newsrc`: a line per group, `name: 1-5,8` (subscribed) or `name! 1-5,8`; the list names articles that were read. Everything that is not changed
 * stays as it is, octet by octet.
 */

/** Ranges, ascending, none within another. */
export type Ranges = readonly (readonly [first: number, last: number])[]

/** Line ends of the file. @throws MailError `corrupt` for a file that has none. */
function lineEnd(text: string, path: string): string {
  const found = /\r\n|\n|\r/.exec(text)
  if (found !== null) return found[0]
  if (text === '') return '\n'
  throw new MailError('corrupt', `Unknown newline convention in ${path}`)
}
interface Line {
  readonly from: number
  readonly to: number
  /** Behind the mark. */
  readonly list: number
}
function lineOf(text: string, group: string, path: string): Line | undefined {
  const end = lineEnd(text, path)
  for (let from = 0; from < text.length; ) {
    const stop = text.indexOf(end, from)
    const to = stop < 0 ? text.length : stop
    if (text.startsWith(group, from) && (text[from + group.length] === ':' || text[from + group.length] === '!')) return { from, to, list: from + group.length + 1 }
    from = to + end.length
  }
  return undefined
}

/** What was read of a group; undefined when the file does not speak of it. @throws MailError `corrupt`. */
export function readOf(text: string, group: string, path: string): Ranges | undefined {
  const line = lineOf(text, group, path)
  if (line === undefined) return undefined
  const list = text.slice(line.list, line.to).trim()
  const wrong = /[^\d,\- \t]/.exec(list)
  if (wrong !== null) throw new MailError('corrupt', `Bogus character 0x${wrong[0].charCodeAt(0).toString(16)} in news state of ${group}`)
  const ranges = list.split(',').flatMap((part): (readonly [number, number])[] => {
    const [first = Number.NaN, last = first] = part.split('-').map((n) => (n.trim() === '' ? Number.NaN : Number(n)))
    return first <= last ? [[first, last]] : []
  })
  return ascending(ranges)
}
/** Other newsreaders leave ranges in any order, and some within others. */
function ascending(ranges: readonly (readonly [number, number])[]): Ranges {
  const out: [number, number][] = []
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    const before = out.at(-1)
    if (before !== undefined && first <= before[1]) before[1] = Math.max(before[1], last)
    else out.push([first, last])
  }
  return out
}
/** The file with another list for a group, which is added when the file does not speak of it. */
export function withRead(text: string, group: string, ranges: Ranges, path: string): string {
  const list = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
  const line = lineOf(text, group, path)
  const end = lineEnd(text, path)
  if (line !== undefined) return `${text.slice(0, line.list)} ${list}${text.slice(line.to)}`
  return `${text}${text === '' || text.endsWith(end) ? '' : end}${group}: ${list}${end}`
}
/** Groups that are subscribed, in the order of the file; options of other newsreaders are no groups. */
export function subscribedIn(text: string): string[] {
  return [...new Set(text.split(/\r\n|\n|\r/).flatMap((line) => /^([^\s:!]+):/.exec(line)?.[1] ?? []))]
}
/** The file with another mark for a group, which is added when it is to be subscribed and the file does not speak of it. Undefined: it is not subscribed. @throws MailError `corrupt`. */
export function withSubscription(text: string, group: string, on: boolean, path: string): string | undefined {
  const line = lineOf(text, group, path)
  if (line !== undefined) return !on && text[line.list - 1] === '!' ? undefined : `${text.slice(0, line.list - 1)}${on ? ':' : '!'}${text.slice(line.list)}`
  if (!on) return undefined
  const end = lineEnd(text, path)
  return `${text}${text === '' || text.endsWith(end) ? '' : end}${group}:${end}`
}
/** Ranges of articles that were read; they run over numbers that are not there any more, and begin at 1. */
export function rangesOf(articles: readonly number[], isRead: (article: number) => boolean): Ranges {
  const out: [number, number][] = []
  let open: [number, number] | undefined = (articles[0] ?? 1) > 1 ? [1, (articles[0] ?? 1) - 1] : undefined
  for (const article of articles) {
    if (isRead(article)) open = [open?.[0] ?? article, article]
    else if (open !== undefined) {
      out.push(open)
      open = undefined
    }
  }
  if (open !== undefined) out.push(open)
  return out
}
/** Whether an article is in the ranges. */
export function includes(ranges: Ranges, article: number): boolean {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ranges[middle]?.[1] ?? 0) < article) low = middle + 1
    else high = middle
  }
  return (ranges[low]?.[0] ?? Number.POSITIVE_INFINITY) <= article
}
