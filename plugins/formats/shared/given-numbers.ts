import { MailError } from 'mailwright/api'

const LARGEST = 0xffffffff

/**
 * UIDs for messages that arrive together, ascending. One that is wished for (`AppendItem.uid`) is given when it is above those of all messages that are
 * there, `highest` among them; otherwise it is the next that was never given, `last` being the latest that was.
 *
 * @throws MailError `limit` when there are no more numbers
 */
export function giveNumbers(wishes: readonly { readonly uid?: number }[], from: { readonly highest: number; readonly last: number }): readonly number[] {
  let { highest, last } = from
  return wishes.map(({ uid: wish = 0 }) => {
    const uid = wish > highest && wish <= LARGEST ? wish : Math.max(last, highest) + 1
    if (uid > LARGEST) throw new MailError('limit', 'the mailbox has no more message numbers')
    highest = uid
    last = Math.max(last, uid)
    return uid
  })
}
/** The latest number that was given, after these. */
export function lastGiven(last: number, numbers: readonly number[]): number {
  return Math.max(last, numbers.at(-1) ?? 0)
}
