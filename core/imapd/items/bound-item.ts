import type { FetchItem, ImapCursor, ImapWriter, MailSession, MailboxView, Rows, SealedFetchItem, StoredMessage, Wants } from '../../api/index.js'
import { unsealItem } from '../extensions/unseal.js'
import type { ImapTables } from '../extensions/tables.js'
import { wire } from '../arguments.js'
import { BadArgument } from '../failure.js'
import { SyntaxFailure } from '../../api/index.js'
import { parseFetchItems } from '../../wire/imap/fetch-items.js'

/** An item with its arguments, as plans and shapes hold it. */
export class BoundItem implements SealedFetchItem {
  readonly name: string
  readonly item: FetchItem<unknown>
  readonly args: unknown
  /** Decided before anything is read. */
  readonly needs: 'columns' | Wants
  constructor(item: FetchItem<unknown>, args: unknown) {
    this.name = item.name
    this.item = item
    this.args = args
    this.needs = item.needs(args)
  }
  get setsSeen(): boolean {
    return this.item.setsSeen?.(this.args) ?? false
  }
  column(row: number, rows: Rows, out: ImapWriter, view: MailboxView): void {
    this.item.column?.(this.args, row, rows, out, view)
  }
  write(m: StoredMessage, row: number, out: ImapWriter, session: MailSession): void | Promise<void> {
    return this.item.write?.(this.args, m, row, out, session)
  }
}

/** The item of a plan or shape: bound while parsing, or a plugin's item without arguments. */
export function boundItem(sealed: SealedFetchItem): BoundItem {
  return sealed instanceof BoundItem ? sealed : new BoundItem(unsealItem(sealed), undefined)
}

function named(name: string, input: ImapCursor, tables: ImapTables): BoundItem {
  const item = tables.fetchItems.get(name)
  return item === undefined ? input.fail('a FETCH item') : new BoundItem(item, item.parse(input, name))
}

/** One item with its arguments. */
export function parseFetchItem(input: ImapCursor, tables: ImapTables): BoundItem {
  return named(wire(input).nameUpTo('['), input, tables)
}

/** The items of a FETCH: a macro, one, or a list (RFC 3501 §6.4.5). */
export function parseItems(input: ImapCursor, tables: ImapTables, command: string): readonly BoundItem[] {
  try {
    return parseFetchItems(wire(input), (name, c) => named(name, c, tables))
  } catch (failure) {
    if (!(failure instanceof SyntaxFailure) || failure instanceof BadArgument) throw failure
    throw new BadArgument(listMistake(failure, command), failure.position)
  }
}

function listMistake({ expected }: SyntaxFailure, command: string): string {
  if (expected.startsWith('at most')) return `Excessively complex ${command} attribute list`
  return expected === '")"' ? `Unterminated ${command} attribute list` : `Bogus attribute list in ${command}`
}
