import { fetchItem, SyntaxFailure } from 'mailwright/api'
import type { ImapWriter, MailboxView, MailSession } from 'mailwright/api'
import { okLine } from '../shared/codes.js'

/** The name in `session.enabled`. */
const CONDSTORE = 'CONDSTORE'

/** `MODSEQ (624140003)` from the column (RFC 7162 §3.1.4). One object stands for it in plans and shapes, so that nobody writes it twice. */
export const MODSEQ_ITEM = fetchItem({
  name: 'MODSEQ',
  parse: () => undefined,
  needs: () => 'columns',
  column(_args, row, rows, out) {
    out.raw('MODSEQ (').number(rows.modseq[row]!).raw(')')
  },
  asked(_args, session) {
    requireModseqs(session)
    becomeAware(session)
  },
})

/** Whether the mailbox keeps mod-sequences; without them its highest one is 0. */
function keeps(view: MailboxView): boolean {
  return view.highestModseq > 0
}
/** A client that was told NOMODSEQ must not ask for mod-sequences (RFC 7162 §3.1.2.2). */
export function requireModseqs(session: MailSession): void {
  if (session.selected !== undefined && !keeps(session.selected)) throw new SyntaxFailure(0, 'a mailbox with mod-sequences')
}

/** Makes the session tell MODSEQ with every flag change from now on. Says whether it did not before. */
export function setAware(session: MailSession): boolean {
  if (session.enabled.has(CONDSTORE)) return false
  session.markEnabled(CONDSTORE)
  shapeFor(session.selected, session)
  return true
}
/** What a change of flags says: nothing of numbers in a mailbox that has none. */
function shapeFor(view: MailboxView | undefined, session: MailSession): void {
  const others = session.shape.changeItems.filter((item) => item !== MODSEQ_ITEM)
  const tells = session.enabled.has(CONDSTORE) && (view === undefined || keeps(view))
  session.shape = { ...session.shape, changeItems: tells ? [...others, MODSEQ_ITEM] : others }
}
/** Every SELECT says whether there are mod-sequences, and the highest (RFC 7162 §3.1.2). */
export function selected(view: MailboxView, out: ImapWriter, session: MailSession): void {
  shapeFor(view, session)
  writeHighest(view, out)
}
/** A first enabling command with a mailbox selected is told its highest mod-sequence (RFC 7162 §3.1). */
export function becomeAware(session: MailSession): void {
  if (setAware(session) && session.selected !== undefined) writeHighest(session.selected, session.out)
}
/** `* OK [HIGHESTMODSEQ n]`, or NOMODSEQ (RFC 7162 §3.1.2). */
function writeHighest(view: MailboxView, out: ImapWriter): void {
  if (keeps(view)) okLine(out, { name: 'HIGHESTMODSEQ', write: (w) => void w.raw(' ').number(view.highestModseq) }, 'Highest mod-sequence')
  else okLine(out, { name: 'NOMODSEQ' }, 'No mod-sequences here')
}
