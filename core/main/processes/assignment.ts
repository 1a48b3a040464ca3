import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { MailUser } from '../../api/index.js'
import type { ConfigPlan } from '../../config/plan/types.js'
import type { Identity } from '../../processes/privileges.js'
import type { StartMessage } from './messages.js'
import { modelOf, notServedBy } from './model.js'

/** The process that serves somebody. */
export interface Assignment {
  readonly key: string
  /** Ids that the process takes; undefined: those of this one. */
  readonly identity: Identity | undefined
  /** Whose process it is, for HOME and messages. */
  readonly account: NonNullable<StartMessage['account']>
}
/** Who serves whom. A text says why nobody does. */
export interface Assigner {
  of(user: MailUser): Assignment | string
  /** Processes that are there from start to end, whether they have sessions or not. */
  readonly always: readonly Assignment[]
}
const LEAST_WORKERS = 2
const SHARED = { name: 'mailwright', home: undefined } as const

/**
 * One process for each account that has a uid, and one for all that have none.
 *
 * @param shared ids for accounts without a uid; undefined: they are refused, unless this server is not root.
 * @param mine the uid of this server.
 */
function perUser(shared: Identity | undefined, mine: number | undefined): Assigner {
  return {
    always: [],
    of(user) {
      const account = user.ids === undefined ? SHARED : { name: user.name, home: user.home }
      if (mine !== 0) return user.ids === undefined || user.ids.uid === mine ? { key: '', identity: undefined, account } : `only root can serve an account with another uid (${user.ids.uid})`
      const identity = user.ids ?? shared
      if (identity === undefined) return 'the account has no uid: set processes.mailUser'
      // A process that may do everything could not be kept to one user's mail.
      return identity.uid === 0 ? 'mail of root is not served' : { key: `${identity.uid}:${identity.gid}`, identity, account }
    },
  }
}

/**
 * A number of processes with the same rights. All sessions of a user are in one of them, so that they see each other's changes at once and
 * the mailbox is read into memory once; the home decides, since one mailbox may have several names on several hosts.
 */
function amongWorkers(count: number, shared: Identity | undefined, mine: number | undefined): Assigner {
  const always = Array.from({ length: count }, (_, n): Assignment => ({ key: `worker ${n + 1}`, identity: shared, account: { ...SHARED, name: `worker ${n + 1}` } }))
  return {
    always,
    of(user) {
      const other = notServedBy(shared?.uid ?? mine, user)
      const chosen = createHash('sha1').update(user.home ?? user.name).digest().readUInt32BE(0) % count
      return other ?? always[chosen] ?? 'there is no worker'
    },
  }
}

/**
 * Who serves whom in the process model of the configuration; undefined: this process does, where `notServedBy` agrees.
 *
 * @param shared ids of `processes.mailUser`.
 * @param mine the uid of this server.
 */
export function assignerOf(plan: ConfigPlan, shared: Identity | undefined, mine: number | undefined): Assigner | undefined {
  switch (modelOf(plan, mine === 0)) {
    case 'single':
      return undefined
    case 'workers':
      return amongWorkers(plan.processes.workers ?? Math.max(LEAST_WORKERS, availableParallelism() - 1), shared, mine)
    case 'per-user':
      return perUser(shared, mine)
  }
}
