import type { ImapExtensionAbout } from '../api/index.js'

// Apart from the commands, which are imported only where the protocol is served.

/** What the protocol itself announces. LOGINDISABLED is not here: whether passwords are taken is for the gate to say. */
export const baseAbout: ImapExtensionAbout = {
  requires: [],
  capabilities(v) {
    const always = ['IMAP4REV1', 'I18NLEVEL=1']
    if (v.state !== 'not-authenticated') return always
    return [...always, 'LOGIN-REFERRALS', ...(v.peer.startTls === true && !v.encrypted ? ['STARTTLS'] : []), ...v.mechanisms.map((name) => `AUTH=${name}`)]
  },
}

/** Name of the commands of IMAP2bis among the extensions; where it is there, `SUBSCRIBE MAILBOX name` is understood too. */
export const IMAP2BIS = 'imap2bis'
/** IMAP2bis has no capability: clients ask for none. */
export const imap2bisAbout: ImapExtensionAbout = { requires: [], capabilities: () => [] }

/** Name of RLIST and RLSUB among the extensions. */
export const MAILBOX_REFERRALS = 'mailbox-referrals'
/** RFC 2193. */
export const mailboxReferralsAbout: ImapExtensionAbout = { requires: [], capabilities: (v) => (v.state === 'not-authenticated' ? [] : ['MAILBOX-REFERRALS']) }
