import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AUTH_SETTINGS, MailError, passwordBackends, userDirectories } from '../api/index.js'
import type { MailUser } from '../api/index.js'
import type { ConfigPlan } from '../config/plan/types.js'
import type { HostView, Kernel } from '../kernel/kernel.js'
import { become } from '../processes/privileges.js'
import { accountName } from '../session/auth/login-names.js'
import { CommandFailure, EXIT } from './exit-codes.js'
import { domainOf, HostChoice } from './host-choice.js'

/** Where accounts are looked for: a server, or a process of one. */
export interface AccountHosts {
  readonly kernel: Pick<Kernel<ConfigPlan>, 'plan' | 'host'>
}
/** An account, and the host that serves it. */
export interface MailAccount {
  readonly host: HostView
  readonly user: MailUser
}

/**
 * The account of a name or address, by the rules of a login: its domain chooses the host, else the address of this machine that was connected to; aliases hold.
 * @throws CommandFailure with `noUser` when there is none, with `failed` when that cannot be found out now.
 */
export async function findAccount(server: AccountHosts, typed: string, hostId: string | undefined, signal: AbortSignal, localAddress = ''): Promise<MailAccount> {
  const id = hostId ?? new HostChoice(server.kernel.plan.hosts).choose({ localAddress, serverName: undefined, domain: domainOf(typed) })
  const host = server.kernel.host(id)
  if (host === undefined) throw new CommandFailure(EXIT.usage, `there is no host "${id}"`)
  const { names } = host.get(AUTH_SETTINGS)
  const name = names === undefined ? typed : accountName(typed, names)
  try {
    for (const { made } of host.entries(userDirectories)) {
      const user = await made.find(name, signal)
      if (user === undefined) continue
      if (user.ids === undefined && !(await mayExist(host, user.name, signal))) break
      return { host, user }
    }
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    throw new CommandFailure(EXIT.failed, `whether there is an account "${name}" cannot be found out: ${error.message}`, { cause: error })
  }
  throw new CommandFailure(EXIT.noUser, `there is no account "${name}"`)
}

/** Some directories have a home for every name that there could be. Where all backends can list their accounts, the name is in a list or is nobody's. */
async function mayExist(host: HostView, name: string, signal: AbortSignal): Promise<boolean> {
  const backends = host.entries(passwordBackends)
  if (backends.length === 0) return true
  for (const { made } of backends) {
    if (made.accounts === undefined) return true
    if ((await made.accounts.list(signal)).some(({ user }) => user === name)) return true
  }
  return false
}

/**
 * Leaves the rights of root behind for those of the account, so that files get the right owner and no other file is reached. An account
 * without ids has its mail where its home is, so it belongs to whoever owns that folder.
 * @throws CommandFailure when this process may not work for the account.
 */
export async function actAs(user: MailUser): Promise<void> {
  const here = process.geteuid?.()
  if (user.ids?.uid === 0) throw new CommandFailure(EXIT.noPermission, `account "${user.name}" has uid 0: root has no mail here; let an alias lead to a person`)
  if (here === undefined) return
  if (here !== 0) {
    if (user.ids !== undefined && user.ids.uid !== here) throw new CommandFailure(EXIT.noPermission, `account "${user.name}" belongs to uid ${user.ids.uid}, and this process to uid ${here}: only root may act for others`)
    return
  }
  const ids = user.ids ?? (user.home === undefined ? undefined : await ownerOf(user.home))
  if (ids === undefined || ids.uid === 0) return
  process.chdir('/')
  become(ids)
  Object.assign(process.env, { USER: user.name, LOGNAME: user.name, ...(user.home === undefined ? {} : { HOME: user.home }) })
}
async function ownerOf(folder: string): Promise<NonNullable<MailUser['ids']> | undefined> {
  for (let path = folder; ; path = dirname(path)) {
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined) return { uid: found.uid, gid: found.gid, groups: [] }
    if (path === dirname(path)) return undefined
  }
}
