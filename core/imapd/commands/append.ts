import { MailError, sealStreamingCommand } from '../../api/index.js'
import type { AppendItem, AppendPlan, AppendResult, AppendSource, ArrivingOctets, ImapCompletion, ImapCursor, MailSession, StreamCursor } from '../../api/index.js'
import type { FlagList } from '../../wire/imap/flags.js'
import { LIMITS } from '../../wire/limits.js'
import { nameArgument, wire } from '../arguments.js'
import type { Chosen } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { BadArgument, Refused } from '../failure.js'
import { checkedName, target } from '../places.js'

const OPEN = 0x28
const SPACE = 0x20
const QUOTE = 0x22
const NO_FLAGS: FlagList = { system: 0, keywords: [] }

interface Options {
  readonly flags: FlagList
  readonly date: { readonly ms: number; readonly zone: number } | undefined
  readonly modifiers: readonly Chosen<AppendPlan>[]
  /** Undefined: the octets are a literal. */
  readonly source: AppendSource | undefined
}

/**
 * RFC 3501 §6.3.11. The mailbox is looked for before the message is asked for, so that a client with a synchronising literal does not send in vain.
 * The octets go to the store as they come; what stands behind them is read before anything is committed. Several messages, where the extension
 * for that is on, arrive all or none (RFC 3502).
 */
export const append = sealStreamingCommand({
  name: 'APPEND',
  states: ['authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  async receive(input: StreamCursor, _uid, session): Promise<AppendResult | undefined> {
    const c = await input.next()
    const box = nameArgument(c)
    c.space()
    const options = optionsOf(c, session)
    if (options.source === undefined) checkLiteral(input)
    const name = checkedName(box, session, 'APPEND')
    const at = await target(session, name, 'append')
    return session.mail.append(at, messages({ cursor: c, options }, input, session), session.signal)
  },
  async run(result, session): Promise<ImapCompletion> {
    if (result === undefined || !session.grammar.has('uidplus')) return { kind: 'ok' }
    const { uidValidity, uids } = result
    // RFC 4315 §3.
    return { kind: 'ok', code: { name: 'APPENDUID', write: (w) => w.raw(' ').number(uidValidity).raw(' ').set(uids) } }
  },
})

/** `(flags) "date" NAME value`, each where it stands. */
function optionsOf(c: ImapCursor, session: MailSession): Options {
  const w = wire(c)
  let flags = NO_FLAGS
  let date: Options['date']
  const modifiers: Chosen<AppendPlan>[] = []
  if (w.peek() === OPEN) {
    flags = w.flags()
    gap(w)
  }
  if (w.peek() === QUOTE) {
    date = w.dateTime()
    gap(w)
  }
  const { append: table, appendSources } = tablesIn(session)
  while (!w.atEnd()) {
    const word = table.size + appendSources.size === 0 ? '' : w.nameUpTo('(')
    const source = appendSources.get(word)
    if (source !== undefined) return { flags, date, modifiers, source }
    const modifier = table.get(word)
    if (modifier === undefined) throw new BadArgument('Missing literal in APPEND')
    modifiers.push({ modifier, args: modifier.parse(w) })
    gap(w)
  }
  return { flags, date, modifiers, source: undefined }
}
function gap(c: ImapCursor): void {
  if (!c.atEnd()) c.space()
}
function checkLiteral(input: StreamCursor): NonNullable<ReturnType<StreamCursor['literal']>> {
  const literal = input.literal()
  if (literal === undefined) throw new BadArgument('Missing literal in APPEND')
  if (literal.size === 0) throw new Refused('Empty message to APPEND', { bare: true })
  if (literal.size > LIMITS.appendLiteral) throw new Refused('Excessively large message to APPEND', { bare: true, code: 'TOOBIG' })
  return literal
}

/** Options that were read, and what was read of them. */
interface Piece {
  readonly cursor: ImapCursor
  readonly options: Options
}
/** The messages, and after them the end of the command: what throws here leaves the mailbox as it was. */
async function* messages(first: Piece, input: StreamCursor, session: MailSession): AsyncGenerator<AppendItem, void, undefined> {
  const several = session.grammar.has('multiappend')
  let piece = first
  for (;;) {
    const { item, rest } = await message(piece, input, session)
    const bytes = new Handed(item.bytes)
    yield { ...item, bytes }
    if (!bytes.taken) throw new MailError('unavailable', 'the store did not take the whole message')
    const cursor = await rest()
    if (!several || !another(cursor, input)) {
      cursor.end()
      if (input.literal() !== undefined) throw new BadArgument('Argument given to APPEND when none expected')
      return
    }
    piece = { cursor, options: optionsOf(cursor, session) }
  }
}
/** Octets for the store, which say whether it took all of them. */
class Handed implements ArrivingOctets {
  taken = false
  readonly #octets: ArrivingOctets
  constructor(octets: ArrivingOctets) {
    this.#octets = octets
  }
  atOnce(): Uint8Array | undefined {
    const all = this.#octets.atOnce?.()
    this.taken ||= all !== undefined
    return all
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#octets
    this.taken = true
  }
}
/** Whether one more message begins behind a space: with flags, a date or its octets. */
function another(c: ImapCursor, input: StreamCursor): boolean {
  if (c.peek() !== SPACE) return false
  c.space()
  return c.peek() === OPEN || c.peek() === QUOTE || (c.atEnd() && input.literal() !== undefined)
}
/** One message with its options, and how to read on behind it. */
async function message({ cursor, options }: Piece, input: StreamCursor, session: MailSession): Promise<{ item: AppendItem; rest: () => Promise<ImapCursor> }> {
  const { flags, modifiers, source } = options
  const rest = restOf(cursor, input)
  const octets = source === undefined ? checkLiteral(input) : await source.receive(rest, session)
  const { size, bytes, binary } = octets
  const date = options.date === undefined ? {} : { date: options.date }
  const plan: AppendPlan = { item: { size, bytes, binary, system: flags.system, keywords: flags.keywords, ...date, facts: new Map() } }
  for (const { modifier, args } of modifiers) await modifier.apply(args, plan, session)
  return { item: plan.item, rest: source === undefined ? () => input.next() : () => rest.last() }
}
/** The stream from a place in the middle of a piece: a source reads on behind its own name. */
function restOf(cursor: ImapCursor, input: StreamCursor): StreamCursor & { last(): Promise<ImapCursor> } {
  let here: ImapCursor | undefined
  let took = false
  const next = async (): Promise<ImapCursor> => {
    took = false
    return (here = here === undefined ? cursor : await input.next())
  }
  return {
    next,
    literal() {
      const literal = input.literal()
      took = literal !== undefined
      return literal
    },
    // Behind a literal the command goes on in a piece of its own; otherwise the source has stopped in the middle of one.
    last: () => (here === undefined || took ? next() : Promise.resolve(here)),
  }
}
