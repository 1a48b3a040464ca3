import type { ImapCommand, Listing, ListEntry } from 'mailwright/api'

interface ScanRequest {
  readonly listing: Listing
  readonly octets: Uint8Array
}

/**
 * `SCAN reference pattern text`: LIST of the mailboxes whose stored octets have the text somewhere, ASCII letters in either case. A command of
 * the UW servers without a specification of its own; its answers are LIST lines.
 */
export const scan: ImapCommand<ScanRequest, 'authenticated' | 'selected'> = {
  name: 'SCAN',
  states: ['authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse(input, _uid, session) {
    const listing = session.grammar.listing(input)
    input.space()
    const octets = input.astring()
    input.end()
    return { listing, octets }
  },
  run({ listing, octets }, session) {
    const { mail, signal } = session
    const narrow = async (batch: readonly ListEntry[]): Promise<readonly ListEntry[]> => {
      const kept: ListEntry[] = []
      // One after the other: a look into a mailbox can be a look at gigabytes. What cannot be selected has nothing stored.
      for (const entry of batch) if (entry.at !== undefined && (await mail.holds(entry.at, octets, signal))) kept.push(entry)
      return kept
    }
    return listing.answer(session, 'SCAN', narrow)
  },
}
