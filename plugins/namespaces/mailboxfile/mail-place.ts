import type { MailUser, Mount } from 'mailwright/api'
import { filledIn, withoutEnd } from './templates.js'

/** What its entry in the configuration says, with absolute paths. */
export interface MailboxfileSettings {
  readonly store: string
  readonly subdirectory: string | undefined
  /** Template; undefined: the spool for accounts of the system, the home for all others. */
  readonly inboxPath: string | undefined
  readonly spoolDirectory: string
  /** Undefined: who is no account of the system. */
  readonly confine: boolean | undefined
  /** Template of the folder that no name leads to. */
  readonly stateDirectory: string
}

/** Where a user's mail is, and how far the user may reach. Made once per login. */
export interface MailPlace {
  /** Nothing outside the mailbox directory has a name. */
  readonly confined: boolean
  /** The mailbox directory without slash at its end; undefined for a user without home. */
  readonly directory: string | undefined
  readonly inbox: string | undefined
  readonly state: string | undefined
  readonly home: Mount
  /** Every file of the machine, for users whom the system itself restrains. */
  readonly root: Mount | undefined
  readonly mounts: readonly Mount[]
}

export function placeOf(user: MailUser, s: MailboxfileSettings): MailPlace {
  const confined = user.kind === 'anonymous' || (s.confine ?? user.ids === undefined)
  const home = user.home?.startsWith('/') === true ? withoutEnd(user.home) : undefined
  const directory = home === undefined || s.subdirectory === undefined ? home : `${home}/${s.subdirectory}`
  const inboxPath = user.kind === 'anonymous' ? '{home}/INBOX' : (s.inboxPath ?? (user.ids === undefined ? '{home}/INBOX' : '{spool}/{user}'))
  const inbox = filledIn(inboxPath, user, s.spoolDirectory)
  // Without a home there is a namespace with nothing in it, and perhaps an INBOX.
  const root = directory === undefined ? '' : directory === '' ? '/' : directory
  const base = { store: s.store, advertised: false, listed: false } as const
  const personal: Mount = { ...base, prefix: '', class: 'personal', root, advertised: true, listed: true, ...(inbox === undefined ? {} : { inbox }) }
  const mounts = [personal]
  let everything: Mount | undefined
  if (user.kind !== 'anonymous') mounts.push({ ...personal, prefix: '~/', advertised: false, listed: false })
  if (!confined) {
    everything = { ...base, prefix: '/', class: 'shared', root: '/' }
    // Other users' directories are known only when their accounts have been looked up: the row has no root of its own.
    mounts.push({ ...base, prefix: '~', class: 'others', root: '', advertised: true }, everything)
  }
  return { confined, directory, inbox, state: stateOf(user, s.stateDirectory), home: personal, root: everything, mounts }
}

function stateOf(user: MailUser, template: string): string | undefined {
  if (template.includes('{home}') && user.home === undefined) return undefined
  const path = template.replaceAll('{home}', () => withoutEnd(user.home ?? '')).replaceAll('{user}', () => encodeURIComponent(user.name))
  return path.startsWith('/') ? withoutEnd(path) : undefined
}
