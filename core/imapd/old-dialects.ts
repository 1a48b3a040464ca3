import type { ImapExtension, ImapExtensionAbout } from '../api/index.js'
import { find } from './commands/find.js'
import { rlist, rlsub } from './commands/list.js'
import { bboard } from './commands/select.js'

/** Name of the commands of IMAP2bis among the extensions; where it is there, `SUBSCRIBE MAILBOX name` is understood too. */
export const IMAP2BIS = 'imap2bis'

/** What clients of the early 1990s say. It has no capability: they ask for none. */
export const imap2bis: { readonly about: ImapExtensionAbout; readonly made: ImapExtension } = {
  about: { requires: [], capabilities: () => [] },
  made: { commands: [find, bboard] },
}
/**
 * RFC 2193: RLIST and RLSUB also show mailboxes of other servers. There are none here unless a namespace brings them; a referral comes in the
 * answer to what is done with the name.
 */
export const mailboxReferrals: { readonly about: ImapExtensionAbout; readonly made: ImapExtension } = {
  about: { requires: [], capabilities: (v) => (v.state === 'not-authenticated' ? [] : ['MAILBOX-REFERRALS']) },
  made: { commands: [rlist, rlsub] },
}
