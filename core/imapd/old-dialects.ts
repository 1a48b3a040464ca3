import type { ImapExtension } from '../api/index.js'
import { find } from './commands/find.js'
import { rlist, rlsub } from './commands/list.js'
import { bboard } from './commands/select.js'

/** What clients of the early 1990s say. */
export const imap2bis: ImapExtension = { commands: [find, bboard] }
/**
 * RFC 2193: RLIST and RLSUB also show mailboxes of other servers. There are none here unless a namespace brings them; a referral comes in the
 * answer to what is done with the name.
 */
export const mailboxReferrals: ImapExtension = { commands: [rlist, rlsub] }
