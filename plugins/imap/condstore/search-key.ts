import type { Found, ImapCursor, MailboxView, SearchKey } from 'mailwright/api'
import { becomeAware, requireModseqs } from './awareness.js'
import { firstFrom } from './modifiers.js'

const QUOTE = 0x22

/** `"/flags/\\Seen" all`: mod-sequences are kept per message here, which RFC 7162 §3.1.5 allows, so the name only has to be well formed. */
function passEntry(input: ImapCursor): void {
  const name = Buffer.from(input.string()).toString('latin1')
  if (!name.toLowerCase().startsWith('/flags/')) input.fail('an entry name such as "/flags/\\\\Seen"')
  input.space()
  if (!['priv', 'shared', 'all'].some((type) => input.tryWord(type))) input.fail('priv, shared or all')
  input.space()
}

/** Highest mod-sequence of what was found; 0 when nothing was. */
function highestOf(found: Found, view: MailboxView): number {
  const { ranges } = found.uids
  const { uid, modseq, length } = view.rows
  let highest = 0
  for (let i = 0; i < ranges.length; i += 2) {
    for (let row = firstFrom(uid, length, ranges[i]!); row < length && uid[row]! <= ranges[i + 1]!; row++) {
      if (modseq[row]! > highest) highest = modseq[row]!
    }
  }
  return highest
}

/** SEARCH MODSEQ n: at least n; the result ends with the highest one of what was found (RFC 7162 §3.1.5, §3.1.6, §3.1.10). */
export const modseqKey: SearchKey = {
  name: 'MODSEQ',
  parse(input) {
    input.space()
    if (input.peek() === QUOTE) passEntry(input)
    return { kind: 'modseq', above: input.largeNumber() - 1 }
  },
  plan(plan, session) {
    requireModseqs(session)
    becomeAware(session)
    plan.write.push((found, out) => {
      const highest = highestOf(found, plan.view)
      if (highest === 0) return
      if (plan.extended) out.raw(' MODSEQ ').number(highest)
      else out.raw(' (MODSEQ ').number(highest).raw(')')
    })
  },
}
