import type { MailboxView, Uid } from 'mailwright/api'

/** What the sequence number of a message of this view is. */
export function numbering(view: MailboxView): (uid: number) => number {
  const { uid } = view.rows
  const first = uid[0]!
  // Uids without gaps are told by a subtraction.
  if (uid[view.announced - 1] === first + view.announced - 1) return (wanted) => wanted - first + 1
  // Views name their messages by uids.
  return (wanted) => view.seqOf(wanted as Uid)
}
