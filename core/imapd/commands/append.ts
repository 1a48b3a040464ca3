import { MailError, sealStreamingCommand } from '../../api/index.js'
import type { AppendItem, AppendPlan, AppendResult, ImapCompletion, ImapCursor, MailSession, StreamCursor } from '../../api/index.js'
import type { FlagList } from '../../wire/imap/flags.js'
import { LIMITS } from '../../wire/limits.js'
import { nameArgument, wire } from '../arguments.js'
import type { Chosen } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { BadArgument, Refused } from '../failure.js'
import { checkedName, target } from '../places.js'

const OPEN = 0x28
const QUOTE = 0x22
const NO_FLAGS: FlagList = { system: 0, keywords: [] }

interface Options {
  readonly flags: FlagList
  readonly date: { readonly ms: number; readonly zone: number } | undefined
  readonly modifiers: readonly Chosen<AppendPlan>[]
}

/**
 * RFC 3501 §6.3.11. The mailbox is looked for before the message is asked for, so that a client with a synchronising literal does not send in vain.
 * The octets go to the store as they come; what stands behind them is read before anything is committed.
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
    const literal = input.literal()
    if (literal === undefined) throw new BadArgument('Missing literal in APPEND')
    if (literal.size === 0) throw new Refused('Empty message to APPEND', { bare: true })
    if (literal.size > LIMITS.appendLiteral) throw new Refused('Excessively large message to APPEND', { bare: true, code: 'TOOBIG' })
    const name = checkedName(box, session, 'APPEND')
    const at = await target(session, name, 'append')
    const { system, keywords } = options.flags
    const date = options.date === undefined ? {} : { date: options.date }
    const plan: AppendPlan = { item: { size: literal.size, bytes: literal.bytes, binary: literal.binary, system, keywords, ...date, facts: new Map() } }
    for (const { modifier, args } of options.modifiers) await modifier.apply(args, plan, session)
    return session.mail.append(at, theOnly(plan.item, input), session.signal)
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
  const table = tablesIn(session).append
  while (!w.atEnd()) {
    const modifier = table.size === 0 ? undefined : table.get(w.nameUpTo('('))
    if (modifier === undefined) throw new BadArgument('Missing literal in APPEND')
    modifiers.push({ modifier, args: modifier.parse(w) })
    gap(w)
  }
  return { flags, date, modifiers }
}
function gap(c: ImapCursor): void {
  if (!c.atEnd()) c.space()
}

/** The one message, and after it the end of the command: what throws here leaves the mailbox as it was. */
async function* theOnly(item: AppendItem, input: StreamCursor): AsyncGenerator<AppendItem, void, undefined> {
  let taken = false
  yield {
    ...item,
    bytes: {
      async *[Symbol.asyncIterator]() {
        yield* item.bytes
        taken = true
      },
    },
  }
  if (!taken) throw new MailError('unavailable', 'the store did not take the whole message')
  const rest = await input.next()
  rest.end()
  if (input.literal() !== undefined) throw new BadArgument('Argument given to APPEND when none expected')
}
