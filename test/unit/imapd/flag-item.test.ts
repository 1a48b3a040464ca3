import { expect, test } from 'vitest'
import { SYSTEM, type MailboxView } from '../../../core/api/index.js'
import { writeFlags } from '../../../core/imapd/items/columns.js'
import { Generation } from '../../../core/mail/table/generation.js'
import { FlagSets } from '../../../core/mail/table/flag-sets.js'
import { OctetWriter } from '../../../core/wire/imap/writer.js'

const rows = [
  { name: 'no flags', system: 0, keywords: [], old: 'FLAGS ()', recent: String.raw`FLAGS (\Recent)` },
  { name: 'one', system: SYSTEM.seen, keywords: [], old: String.raw`FLAGS (\Seen)`, recent: String.raw`FLAGS (\Recent \Seen)` },
  { name: 'flags and keywords', system: SYSTEM.draft | SYSTEM.deleted, keywords: ['$Work', 'later'], old: String.raw`FLAGS (\Deleted \Draft $Work later)`, recent: String.raw`FLAGS (\Recent \Deleted \Draft $Work later)` },
]
test.each(rows)('FLAGS of a message with $name, recent or not, the first time and again (RFC 3501 §7.4.2)', ({ system, keywords, old, recent }) => {
  const sets = new FlagSets()
  const table = new Generation(sets.list)
  for (const uid of [1, 2]) table.flags[table.push(uid)] = sets.of(system, keywords)
  const view: Pick<MailboxView, 'isRecent'> = { isRecent: (row) => row === 1 }
  const written = (row: number): string => {
    let text = ''
    const out = new OctetWriter({ write: (chunk) => ((text += Buffer.from(chunk).toString('latin1')), true), drained: () => Promise.resolve() })
    // Nothing else of a view is asked for flags.
    writeFlags(row, table, out, view as MailboxView)
    out.flush()
    return text
  }
  expect([written(0), written(1), written(1), written(0)]).toEqual([old, recent, recent, old])
})
