import { createToken } from '../api/index.js'
import type { MaildropLocks } from './maildrop-locks.js'

/** Of the process: hosts, and generations of a host across a reload, share maildrops. */
export const MAILDROP_LOCKS = createToken<MaildropLocks>('pop3.maildrop-locks').in('process', ['front', 'mail'])
