import { SYSTEM } from '../api/index.js'
import type { ImapWriter, MailboxView } from '../api/index.js'
import { isFlagKeyword } from '../mail/table/flag-keyword.js'

/** System flags in the order that FLAGS and PERMANENTFLAGS have them, with the right that setting them needs (RFC 4314 §4). */
const SYSTEM_FLAGS = [
  { name: String.raw`\Answered`, bit: SYSTEM.answered, right: 'w' },
  { name: String.raw`\Flagged`, bit: SYSTEM.flagged, right: 'w' },
  { name: String.raw`\Deleted`, bit: SYSTEM.deleted, right: 't' },
  { name: String.raw`\Draft`, bit: SYSTEM.draft, right: 'w' },
  { name: String.raw`\Seen`, bit: SYSTEM.seen, right: 's' },
] as const

/** `* FLAGS (...)` and `* OK [PERMANENTFLAGS (...)]`: at SELECT, and again when a keyword is new. */
export function writeFlagLines(out: ImapWriter, view: MailboxView): void {
  const { canCreate } = view.keywords
  const defined = view.keywords.defined.filter(isFlagKeyword)
  out.raw('* FLAGS (')
  for (const keyword of defined) out.atom(keyword).raw(' ')
  SYSTEM_FLAGS.forEach(({ name }, i) => out.raw(i === 0 ? name : ` ${name}`))
  out.raw(')').endLine()
  const { rights } = view.at
  const words: string[] = []
  if (!view.readOnly) {
    if (rights.includes('w')) words.push(...defined)
    if (rights.includes('w') && canCreate) words.push(String.raw`\*`)
    for (const { name, right } of SYSTEM_FLAGS) if (rights.includes(right)) words.push(name)
  }
  out.raw('* OK [PERMANENTFLAGS (')
  words.forEach((word, i) => {
    if (i > 0) out.raw(' ')
    out.atom(word)
  })
  out.raw(')] Permanent flags').endLine()
}
