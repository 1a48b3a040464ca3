import { fetchItem } from '../../api/index.js'
import type { FetchItem, FlagSet, ImapWriter, MailboxView, Rows, SealedFetchItem } from '../../api/index.js'
import { OctetWriter } from '../../wire/imap/writer.js'

function nothing(): undefined {
  return undefined
}

/** `FLAGS (\Recent \Seen $Label1)`: the wire form of the flag set is copied. */
const flags: FetchItem<undefined> = {
  name: 'FLAGS',
  parse: nothing,
  needs: () => 'columns',
  column: (_args, row, rows, out, view) => writeFlags(row, rows, out, view),
}
/** `UID 5`. */
const uid: FetchItem<undefined> = {
  name: 'UID',
  parse: nothing,
  needs: () => 'columns',
  column: (_args, row, rows, out) => void out.raw('UID ').number(rows.uid[row]!),
}
/** `RFC822.SIZE 1024`. */
const size: FetchItem<undefined> = {
  name: 'RFC822.SIZE',
  fills: true,
  parse: nothing,
  needs: () => 'columns',
  column: (_args, row, rows, out) => void out.raw('RFC822.SIZE ').number(rows.size[row]!),
}
/** `INTERNALDATE "17-Jul-1996 02:44:25 -0700"`. */
const internalDate: FetchItem<undefined> = {
  name: 'INTERNALDATE',
  fills: true,
  parse: nothing,
  needs: () => 'columns',
  column(_args, row, rows, out) {
    out.raw('INTERNALDATE ')
    const date = rows.date[row]!
    // A date that no driver could tell is the beginning of time, not garbage.
    writerOf(out).dateTime(Number.isFinite(date) ? date : 0, rows.zone[row]!)
  },
}

/** Writes a row's flags, \Recent first. */
export function writeFlags(row: number, rows: Rows, out: ImapWriter, view: MailboxView): void {
  const set = rows.flagSets[rows.flags[row]!]!
  let forms = written.get(set)
  if (forms === undefined) written.set(set, (forms = { old: formOf(set), recent: formOf(set, String.raw`\Recent`) }))
  out.bytes(view.isRecent(row) ? forms.recent : forms.old)
}
/** The whole item, for each set of flags: a mailbox has few, and lines many. */
const written = new WeakMap<FlagSet, { readonly old: Uint8Array; readonly recent: Uint8Array }>()
function formOf({ wire }: FlagSet, ...first: readonly string[]): Uint8Array {
  const words = wire.length === 0 ? first : [...first, Buffer.from(wire).toString('latin1')]
  return Buffer.from(`FLAGS (${words.join(' ')})`, 'latin1')
}

/** The writer with core's own forms: a session has no other. */
function writerOf(out: ImapWriter): OctetWriter {
  if (out instanceof OctetWriter) return out
  throw new Error('replies of this server are written with its own writer')
}

export const FLAGS: SealedFetchItem = fetchItem(flags)
export const UID: SealedFetchItem = fetchItem(uid)
/** Items that columns answer: no message is read, nothing is allocated. */
export const columnItems: readonly SealedFetchItem[] = [FLAGS, UID, fetchItem(size), fetchItem(internalDate)]
