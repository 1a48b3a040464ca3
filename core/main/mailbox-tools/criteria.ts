import { SyntaxFailure } from '../../api/index.js'
import type { MailboxView, SearchTerm } from '../../api/index.js'
import { searchDecoder } from '../../imapd/search-charset.js'
import { OctetCursor } from '../../wire/imap/cursor.js'
import { parseSearchKeys } from '../../wire/imap/search-program.js'
import { CommandFailure, EXIT } from '../exit-codes.js'

/**
 * A search as SEARCH of IMAP has it (RFC 3501 §6.4.4), in UTF-8: `BEFORE 1-Jan-2024 UNFLAGGED`, `OR SEEN (SUBJECT "a b")`.
 * @throws CommandFailure with the place where it stops making sense.
 */
export function criteria(text: string, view: MailboxView): SearchTerm {
  const cursor = new OctetCursor(Buffer.from(text.trim()))
  try {
    const term = parseSearchKeys(cursor, { resolve: (set, by) => view.uidsOf(view.resolve(set, by)), decode: searchDecoder('UTF-8') })
    cursor.end()
    return term
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error
    throw new CommandFailure(EXIT.usage, `unknown search criterion: ${text.trim()} (${error.expected} was expected at character ${error.position + 1} or before it)`, { cause: error })
  }
}
