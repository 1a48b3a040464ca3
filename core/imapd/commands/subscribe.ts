import { sealCommand } from '../../api/index.js'
import type { ImapCompletion, MailboxName, SealedCommand } from '../../api/index.js'
import { nameArgument } from '../arguments.js'
import type { NameArgument } from '../arguments.js'
import { CLIENT_BUG, inWords } from '../failure.js'
import { checkedName, isDirectory } from '../places.js'
import { shown } from '../texts.js'

/** RFC 3501 §6.3.6 and §6.3.7; also the form of IMAP2bis, `SUBSCRIBE MAILBOX name`. */
function subscription(command: 'SUBSCRIBE' | 'UNSUBSCRIBE'): SealedCommand {
  const on = command === 'SUBSCRIBE'
  const words = (name: MailboxName) => (reason: string, kind: string) => {
    if (kind === 'exists') return `Already subscribed to mailbox ${shown(name)}`
    if (kind === 'not-found') return on ? `Can't subscribe ${shown(name)}: not a mailbox` : `Not subscribed to mailbox ${shown(name)}`
    return `Can't change subscription of ${shown(name)}: ${reason}`
  }
  return sealCommand({
    name: command,
    states: ['authenticated', 'selected'],
    uidForm: 'no',
    mayReportExpunge: true,
    parse(input, _uid, session): NameArgument {
      let box = nameArgument(input)
      if (session.grammar.has('imap2bis') && 'name' in box && box.name.toUpperCase() === 'MAILBOX' && input.peek() === 0x20) {
        input.space()
        if (!input.atEnd()) box = nameArgument(input)
      }
      input.end()
      return box
    },
    async run(box, session): Promise<ImapCompletion> {
      const name = checkedName(box, session, command)
      await inWords(session.mail.subscribe(name, on), words(name))
      if (on && session.tweaks.warnSubscribeDirectory && (await isDirectory(name, session))) {
        session.out.raw(`* NO CLIENT BUG DETECTED: subscribe of non-mailbox directory ${shown(name)}`).endLine()
        return CLIENT_BUG
      }
      return { kind: 'ok' }
    },
  })
}
export const subscribe = subscription('SUBSCRIBE')
export const unsubscribe = subscription('UNSUBSCRIBE')
