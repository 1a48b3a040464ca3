import { StartFailure } from '../../api/index.js'
import type { MailUser, Problem } from '../../api/index.js'
import type { ConfigPlan, HostPlan } from '../../config/plan/types.js'
import { located } from '../located.js'

/** How the work is divided among processes. */
export type ProcessModel = 'single' | 'workers' | 'per-user'

/** Directory of accounts that are those of the machine, so that each has a uid. */
const SYSTEM_ACCOUNTS = 'system'
/** The directory whose accounts never have a uid. */
const WITHOUT_IDS = 'virtual'

/**
 * The process model: what the configuration says, else per-user where root serves accounts that may have a uid of their own.
 * @throws StartFailure where processes would touch everybody's mail with all rights.
 */
export function modelOf(plan: ConfigPlan, root: boolean): ProcessModel {
  const { model, mailUser } = plan.processes
  if (model === 'auto') return root && plan.hosts.some((host) => directoriesOf(host).some((use) => use !== WITHOUT_IDS)) ? 'per-user' : 'single'
  const host = plan.hosts.find((one) => directoriesOf(one).includes(SYSTEM_ACCOUNTS))
  if (model !== 'per-user' && root && host !== undefined) {
    throw refused(plan, 'PRC_NEEDS_PER_USER', `"${model}" would serve the system accounts of host "${host.id}" in processes that are not theirs, with all the rights of root`, 'leave it out, say "per-user", or start the server from an account without rights')
  }
  if (model === 'workers' && root && mailUser === undefined) {
    throw refused(plan, 'PRC_NO_MAIL_USER', 'workers of root would touch the mail with all rights', 'set processes.mailUser to the account that the mail belongs to, or start the server from that account')
  }
  return model
}

/** What `perUser` will refuse at login: accounts that have no uid, where no account is named whose rights they are served with. Undefined: nothing. */
export function accountsNotServed(plan: ConfigPlan, root: boolean): Problem | undefined {
  if (modelOf(plan, root) !== 'per-user' || !root || plan.processes.mailUser !== undefined) return undefined
  const host = plan.hosts.find((one) => directoriesOf(one).some((use) => use !== SYSTEM_ACCOUNTS))
  if (host === undefined) return undefined
  const message = `accounts of host "${host.id}" that have no uid cannot log in: no process may serve them with the rights of root`
  return { code: 'PRC_NO_MAIL_USER', severity: 'warning', path: 'processes.mailUser', message, hint: 'set processes.mailUser to the account that their mail belongs to, or give each a uid' }
}

/**
 * Why the mail of a user is not served by a process that has one account's rights for everybody; undefined: it is. Files would belong to the
 * wrong account, and a process of root would reach what the user may not.
 *
 * @param uid that the process has.
 */
export function notServedBy(uid: number | undefined, user: MailUser): string | undefined {
  if (user.ids === undefined || uid === undefined || user.ids.uid === uid) return undefined
  return `the account has a uid of its own (${user.ids.uid}), and this process has another (${uid}): start the server as root with "processes.model: per-user"`
}

function directoriesOf(host: HostPlan): readonly string[] {
  return host.slots.flatMap(({ point, entries }) => (point === 'auth.users' ? (entries ?? []).map(({ use }) => use.split('/').at(-1) ?? use) : []))
}
function refused(plan: ConfigPlan, code: string, message: string, hint: string): StartFailure {
  return new StartFailure(located([{ code, severity: 'error', path: 'processes.model', message, hint }], plan))
}
