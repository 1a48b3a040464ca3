import { sealCommand } from '../../api/index.js'
import type { ImapCompletion, MailboxName } from '../../api/index.js'
import { wire } from '../arguments.js'
import { BadArgument, Refused } from '../failure.js'
import { checkPatterns } from '../listing.js'

/** What of IMAP2bis (the dialect before RFC 1730) has a command of its own besides BBOARD. */
const KINDS = { 'ALL.MAILBOXES': { subscribed: false }, MAILBOXES: { subscribed: true } } as const
type Kind = keyof typeof KINDS

interface FindRequest {
  readonly kind: Kind
  readonly pattern: string
}
function isKind(word: string): word is Kind {
  return Object.hasOwn(KINDS, word)
}

/** `FIND MAILBOXES pattern` is LSUB, `FIND ALL.MAILBOXES pattern` is LIST in which `*` stops at the hierarchy; `* MAILBOX name` for each mailbox. */
export const find = sealCommand({
  name: 'FIND',
  states: ['authenticated', 'selected'],
  uidForm: 'no',
  mayReportExpunge: true,
  parse(input, _uid, session): FindRequest {
    const c = wire(input)
    const kind = input.atom().toUpperCase()
    const allowed = isKind(kind) && (kind === 'ALL.MAILBOXES' || session.mail.user.kind !== 'anonymous')
    if (!allowed) throw new BadArgument(`Command unrecognized: FIND ${kind}`)
    c.space()
    const pattern = c.pattern()
    c.end()
    return { kind, pattern }
  },
  async run({ kind, pattern }, session): Promise<ImapCompletion> {
    const what = `FIND ${kind}`
    if (/[%?]/.test(pattern)) throw new Refused(`IMAP2 ? and % wildcards not supported: ${what}`, { bare: true, code: 'CANNOT' })
    checkPatterns('', [pattern], session, what)
    const { subscribed } = KINDS[kind]
    const patterns = [subscribed ? pattern : pattern.replaceAll('*', '%')]
    const query = { reference: '' as MailboxName, patterns, ...(subscribed ? { subscribed: true as const } : {}) }
    for await (const batch of session.mail.list(query, session.signal)) {
      for (const { name, attributes } of batch) {
        // The dialect knows no directories: what is told can be selected.
        if ([...attributes].some((a) => a.toLowerCase() === String.raw`\noselect`)) continue
        session.out.raw('* MAILBOX ').mailbox(name).endLine()
      }
      const wait = session.out.room()
      if (wait !== undefined) await wait
    }
    return { kind: 'ok', text: `${what} completed` }
  },
})
