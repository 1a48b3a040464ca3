import { MailError, sealCommand } from '../../api/index.js'
import type { ImapCompletion, ImapCursor, ImapWriter, ListEntry, ListPlan, MailSession, MailboxName, SealedCommand } from '../../api/index.js'
import { oneModifier, modifierList, wire } from '../arguments.js'
import type { Chosen } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { Refused } from '../failure.js'
import { LIMITS } from '../../wire/limits.js'

const OPEN = 0x28
/** Spelling and order of the original; others follow in theirs. */
const ATTRIBUTES = [String.raw`\NoInferiors`, String.raw`\NoSelect`, String.raw`\Marked`, String.raw`\UnMarked`, String.raw`\HasChildren`, String.raw`\HasNoChildren`] as const
const places = new Map(ATTRIBUTES.map((name, i) => [name.toLowerCase(), i]))
const CHILDREN = new Set([String.raw`\haschildren`, String.raw`\hasnochildren`])

interface ListRequest {
  readonly reference: string
  readonly patterns: readonly string[]
  readonly modifiers: readonly Chosen<ListPlan>[]
}

/** `LIST ref pattern`, and with extensions `LIST (options) ref (patterns) RETURN (options)` (RFC 5258 §3). */
function parseList(input: ImapCursor, session: MailSession, extended: boolean): ListRequest {
  const { listSelections, listReturns } = tablesIn(session)
  const c = wire(input)
  const modifiers: Chosen<ListPlan>[] = []
  if (extended && listSelections.size > 0 && c.peek() === OPEN) {
    modifiers.push(...modifierList(c, listSelections))
    c.space()
  }
  const reference = c.pattern()
  c.space()
  const several = extended && listReturns.size > 0 && c.peek() === OPEN
  const patterns = several ? c.list(() => c.pattern()) : [c.pattern()]
  if (extended && listReturns.size > 0 && !c.atEnd()) {
    c.space()
    if (!c.tryWord('RETURN')) c.end()
    c.space()
    modifiers.push(...c.list((one) => oneModifier(one, listReturns)))
  }
  c.end()
  return { reference, patterns, modifiers }
}

/** RFC 3501 §6.3.8 and §6.3.9, RFC 2193 §3. */
function listing(command: 'LIST' | 'LSUB' | 'RLIST' | 'RLSUB'): SealedCommand {
  const answer = command.endsWith('LSUB') ? 'LSUB' : 'LIST'
  return sealCommand({
    name: command,
    states: ['authenticated', 'selected'],
    uidForm: 'no',
    mayReportExpunge: true,
    parse: (input, _uid, session) => parseList(input, session, command === 'LIST'),
    async run({ reference, patterns, modifiers }, session): Promise<ImapCompletion> {
      checkPatterns(reference, patterns, session, command)
      const plan: ListPlan = { select: [], decorate: [], after: [], extended: [] }
      for (const { modifier, args } of modifiers) await modifier.apply(args, plan, session)
      const query = { reference: reference as MailboxName, patterns, ...(answer === 'LSUB' ? { subscribed: true as const } : {}) }
      const children = session.grammar.has('children')
      try {
        for await (const batch of session.mail.list(query, session.signal)) await writeBatch(batch, plan, answer, children, session)
      } catch (error) {
        if (error instanceof MailError && error.kind === 'limit') throw new Refused(`Excessive wildcards in ${command}`, { code: 'LIMIT', bare: true, cause: error })
        throw error
      }
      return { kind: 'ok' }
    },
  })
}
export const list = listing('LIST')
export const lsub = listing('LSUB')
export const rlist = listing('RLIST')
export const rlsub = listing('RLSUB')

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
