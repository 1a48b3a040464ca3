import { MailError } from '../api/index.js'
import type { ImapCompletion, ImapCursor, ImapWriter, ListEntry, Listing, ListPlan, MailSession, MailboxName } from '../api/index.js'
import { wire } from './arguments.js'
import { Refused } from './failure.js'
import { LIMITS } from '../wire/limits.js'

/** Spelling and order of the original; others follow in theirs. */
const ATTRIBUTES = [String.raw`\NoInferiors`, String.raw`\NoSelect`, String.raw`\Marked`, String.raw`\UnMarked`, String.raw`\HasChildren`, String.raw`\HasNoChildren`] as const
const places = new Map(ATTRIBUTES.map((name, i) => [name.toLowerCase(), i]))
const CHILDREN = new Set([String.raw`\haschildren`, String.raw`\hasnochildren`])

/** What is listed, and how it is told. */
export interface ListQuestion {
  readonly command: string
  readonly answer: 'LIST' | 'LSUB'
  readonly reference: string
  readonly patterns: readonly string[]
  readonly plan: ListPlan
  /** What of a batch is told; without it everything that the plan keeps. */
  readonly narrow?: (batch: readonly ListEntry[]) => Promise<readonly ListEntry[]>
}
/** The lines of LIST, LSUB and commands like them (RFC 3501 §6.3.8, §6.3.9), as the names are found. */
export async function answerListing(question: ListQuestion, session: MailSession): Promise<ImapCompletion> {
  const { command, answer, reference, patterns, plan, narrow } = question
  checkPatterns(reference, patterns, session, command)
  const query = { reference: reference as MailboxName, patterns, ...(answer === 'LSUB' ? { subscribed: true as const } : {}) }
  const children = session.grammar.has('children')
  try {
    for await (const batch of session.mail.list(query, session.signal)) {
      await writeBatch(narrow === undefined ? batch : await narrow(batch), plan, answer, children, session)
    }
  } catch (error) {
    if (error instanceof MailError && error.kind === 'limit') throw new Refused(`Excessive wildcards in ${command}`, { code: 'LIMIT', bare: true, cause: error })
    throw error
  }
  return { kind: 'ok' }
}
/** Reference and one pattern, for commands of extensions. */
export function listingOf(input: ImapCursor): Listing {
  const c = wire(input)
  const reference = c.pattern()
  c.space()
  const pattern = c.pattern()
  return {
    answer: (session, command, narrow) => answerListing({ command, answer: 'LIST', reference, patterns: [pattern], plan: { select: [], decorate: [], after: [], extended: [] }, narrow }, session),
  }
}

/** The bounds of what is listed, and what an anonymous user may not name. */
export function checkPatterns(reference: string, patterns: readonly string[], session: MailSession, command: string): void {
  if (Buffer.byteLength(reference) > LIMITS.listPattern) throw new Refused(`Invalid ${command} reference specification: ${reference.slice(0, 80)}`, { bare: true })
  let wildcards = 0
  for (const pattern of patterns) {
    if (Buffer.byteLength(pattern) > LIMITS.listPattern) throw new Refused(`Invalid ${command} pattern specification: ${pattern.slice(0, 80)}`, { bare: true })
    wildcards += pattern.match(/[*%]/g)?.length ?? 0
  }
  if (wildcards > LIMITS.listWildcards) throw new Refused(`Excessive wildcards in ${command}`, { bare: true, code: 'LIMIT' })
  const first = reference === '' ? (patterns[0] ?? '') : reference
  if (session.mail.user.kind === 'anonymous' && /^[#{]/.test(first) && !/^#(?:news\.|ftp\/|public\/)/i.test(first)) {
    throw new Refused(`Anonymous may not ${command} this name`, { bare: true, code: 'NOPERM' })
  }
}

async function writeBatch(batch: readonly ListEntry[], plan: ListPlan, command: string, children: boolean, session: MailSession): Promise<void> {
  const { out } = session
  const chosen = plan.select.length === 0 ? batch : batch.filter((e) => plan.select.every((wanted) => wanted(e)))
  for (const decorate of plan.decorate) await decorate(chosen)
  for (const entry of chosen) {
    out.raw('* ').raw(command).raw(' (').raw(attributesOf(entry, children).join(' ')).raw(') ')
    if (entry.delimiter === undefined) out.raw('NIL ')
    else out.raw(quotedDelimiter(entry.delimiter))
    out.mailbox(entry.name)
    writeExtended(entry, plan, out)
    out.endLine()
  }
  for (const after of plan.after) await after(chosen, out)
  const wait = out.room()
  if (wait !== undefined) await wait
}
function writeExtended(entry: ListEntry, plan: ListPlan, out: ImapWriter): void {
  if (plan.extended.length === 0) return
  out.raw(' (')
  plan.extended.forEach((write, i) => {
    if (i > 0) out.raw(' ')
    write(entry, out)
  })
  out.raw(')')
}
function quotedDelimiter(delimiter: string): string {
  return delimiter === '"' || delimiter === '\\' ? `"\\${delimiter}" ` : `"${delimiter}" `
}
function attributesOf(entry: ListEntry, children: boolean): readonly string[] {
  const found: { readonly at: number; readonly name: string }[] = []
  for (const attribute of entry.attributes) {
    const lower = attribute.toLowerCase()
    if (!children && CHILDREN.has(lower)) continue
    const at = places.get(lower)
    found.push(at === undefined ? { at: ATTRIBUTES.length, name: attribute } : { at, name: ATTRIBUTES[at] ?? attribute })
  }
  return found.sort((a, b) => a.at - b.at).map((f) => f.name)
}
