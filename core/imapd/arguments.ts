import { MailboxNameFailure, SyntaxFailure } from '../api/index.js'
import type { ImapCursor, MailboxName, MailboxView, Modifier, RowSet, SequenceSet } from '../api/index.js'
import { OctetCursor } from '../wire/imap/cursor.js'
import { LAST_NUMBER } from '../wire/imap/sequence-set.js'
import { BadArgument } from './failure.js'

/** The cursor with core's own readers: the dispatcher makes no other. */
export function wire(input: ImapCursor): OctetCursor {
  if (input instanceof OctetCursor) return input
  throw new Error('arguments of this server are read with its own cursor')
}

/** For commands without arguments (`NOOP x` is an error). */
export function noArguments(input: ImapCursor): void {
  input.end()
}

/** A mailbox name, or why it is none: a malformed name is a mistake that deserves NO, once the whole command was read. */
export type NameArgument = { readonly name: MailboxName } | { readonly invalid: string }

/** Reads a mailbox name; one that is no modified UTF-7 is an argument all the same. */
export function nameArgument(input: ImapCursor): NameArgument {
  try {
    return { name: input.mailbox() }
  } catch (failure) {
    if (failure instanceof MailboxNameFailure) return { invalid: failure.reason }
    throw failure
  }
}

/** A sequence set, with the error line that commands with sets have. */
export function setArgument(input: ImapCursor, command: string): SequenceSet {
  try {
    return input.set()
  } catch (failure) {
    if (failure instanceof SyntaxFailure) throw new BadArgument(`Bogus sequence in ${command}: Syntax error in sequence`)
    throw failure
  }
}

/**
 * Rows that a set names. A sequence number that does not exist is an error, `*` in an empty mailbox too (RFC 3501 §9 "seq-number"); a uid that
 * does not exist is passed over (RFC 3501 §6.4.8).
 */
export function rowsOf(view: MailboxView, set: SequenceSet, uid: boolean, command: string): RowSet {
  if (!uid && set !== 'saved') {
    const most = view.announced
    for (const n of set.pairs) {
      if (n === LAST_NUMBER ? most === 0 : n > most) throw new BadArgument(`Bogus sequence in ${command}: Sequence out of range`)
    }
  }
  return view.resolve(set, uid ? 'uid' : 'seq')
}

/** A named argument with what it read. */
export interface Chosen<Plan> {
  readonly modifier: Modifier<Plan, unknown>
  readonly args: unknown
}

/** `(NAME value NAME ...)` (RFC 4466 §2); a name that no extension brought is an error. */
export function modifierList<Plan>(input: ImapCursor, table: ReadonlyMap<string, Modifier<Plan, unknown>>): readonly Chosen<Plan>[] {
  return input.list((c) => oneModifier(c, table))
}
/** One of them. */
export function oneModifier<Plan>(input: ImapCursor, table: ReadonlyMap<string, Modifier<Plan, unknown>>): Chosen<Plan> {
  const name = wire(input).nameUpTo('(')
  const modifier = table.get(name)
  if (modifier === undefined) return input.fail(`a known modifier instead of ${name}`)
  return { modifier, args: modifier.parse(input) }
}
