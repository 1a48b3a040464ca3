import { sealCommand } from '../../api/index.js'
import type { ImapCompletion, Located, MailSession, MailboxFigures, MailboxView, StatusItem } from '../../api/index.js'
import { nameArgument, wire } from '../arguments.js'
import type { NameArgument } from '../arguments.js'
import { tablesIn } from '../extensions/grammar.js'
import { CLIENT_BUG, Refused, inWords } from '../failure.js'
import { liveSession } from '../live.js'
import { LiveFigures } from '../live-figures.js'
import { checkedName, place } from '../places.js'
import { cut, shown } from '../texts.js'

/** Items of RFC 3501 §6.3.10, in the order in which they are answered. */
export const baseStatusItems: readonly StatusItem[] = [
  { name: 'MESSAGES', from: 'figures', value: (f) => String(f.messages) },
  { name: 'RECENT', from: 'figures', value: (f) => String(f.recent) },
  { name: 'UNSEEN', from: 'figures', value: (f) => String(f.unseen) },
  { name: 'UIDNEXT', from: 'figures', value: (f) => String(f.uidNext) },
  { name: 'UIDVALIDITY', from: 'figures', value: (f) => String(f.uidValidity) },
]

interface StatusRequest {
  readonly box: NameArgument
  readonly items: readonly StatusItem[]
  readonly unknown: readonly string[]
}

export const status = sealCommand({
  name: 'STATUS',
  states: ['authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse(input, _uid, session): StatusRequest {
    const box = nameArgument(input)
    input.space()
    const asked = input.list((c) => wire(c).nameUpTo(''))
    input.end()
    if (asked.length === 0) input.fail('a status item')
    const { statusItems } = tablesIn(session)
    const unknown = asked.filter((name) => !statusItems.has(name))
    // An unknown item is a mistake, unless clients that make it are to be borne with.
    if (unknown.length > 0 && !session.tweaks.warnUnknownStatusItem) input.fail('a known status item')
    return { box, items: [...statusItems.values()].filter((item) => asked.includes(item.name.toUpperCase())), unknown }
  },
  async run({ box, items, unknown }, session): Promise<ImapCompletion> {
    const { out, mail, signal } = session
    const name = checkedName(box, session, 'STATUS')
    for (const item of items) item.asked?.(session)
    for (const item of unknown) out.raw(`* NO Unknown status flag ${cut(item)}`).endLine()
    const { selected } = session
    let at: Located
    let figures: MailboxFigures
    let mistaken = unknown.length > 0
    if (selected !== undefined && selected.at.name === name) {
      if (session.tweaks.noteStatusOnSelected) {
        out.raw(`* NO CLIENT BUG DETECTED: STATUS on selected mailbox: ${shown(name)}`).endLine()
        mistaken = true
      }
      at = selected.at
      figures = await liveFigures(selected, session)
    } else {
      const words = (reason: string): string => `Can't get status of mailbox ${shown(name)}: ${reason}`
      at = await place(session, name, 'status', words)
      figures = await inWords(first(mail.figures([at], signal)), words)
    }
    const values = await Promise.all(items.map((item) => item.value(figures, at, mail)))
    out.raw('* STATUS ').mailbox(name).raw(' (')
    items.forEach((item, i) => out.raw(`${i === 0 ? '' : ' '}${item.name} ${values[i]}`))
    out.raw(')').endLine()
    return mistaken ? CLIENT_BUG : { kind: 'ok' }
  },
})

async function first(figures: AsyncIterable<MailboxFigures>): Promise<MailboxFigures> {
  for await (const one of figures) return one
  throw new Refused('no such mailbox', { code: 'NONEXISTENT' })
}
/** The numbers of the selected mailbox are those that the client is told, news included. */
async function liveFigures(view: MailboxView, session: MailSession): Promise<MailboxFigures> {
  const { updates } = liveSession(session)
  await updates.look()
  await updates.tell(true, false)
  if (view.rows.gaps > 0) await view.fill(view.resolve({ pairs: Uint32Array.of(1, 0xffffffff) }, 'seq'), session.signal)
  return new LiveFigures(view)
}
