import { MailError, passwordBackends, secret } from '../../api/index.js'
import type { AccountEditor } from '../../api/index.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { startOffline } from '../offline-server.js'
import type { OfflineServer } from '../offline-server.js'
import { readNewPassword } from '../password-prompt.js'
import { startConfigured } from '../start-configured.js'
import { say, table } from '../terminal.js'

const TIMEOUT_MS = 60_000

/** `mailwright user add|passwd|remove|list`: accounts of a backend that can be edited, such as the password file. */
export async function run(context: CommandContext): Promise<number> {
  const { args, terminal } = context
  const { values, positionals } = parseCommandLine(args, { config: { type: 'string', short: 'c' }, host: { type: 'string' } }, { least: 1, most: 2 })
  const [what = '', name] = positionals
  if (!['add', 'passwd', 'remove', 'list'].includes(what)) throw new CommandFailure(EXIT.usage, `unknown action "${what}": add, passwd, remove or list`)
  if ((name === undefined) !== (what === 'list')) throw new CommandFailure(EXIT.usage, what === 'list' ? 'list takes no name' : `${what} needs the name of a user`)
  const server = await startConfigured(context, values.config, startOffline)
  if (server === undefined) return EXIT.configuration
  try {
    const accounts = editorOf(server, values.host)
    const text = await edit(accounts, what, name ?? '')
    if (text !== '') say(terminal.out, text)
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    throw new CommandFailure(error.kind === 'not-found' ? EXIT.noUser : EXIT.failed, error.message, { cause: error })
  } finally {
    await server.stop()
  }
}

async function edit(accounts: AccountEditor, what: string, name: string): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  switch (what) {
    case 'list': {
      const rows = await accounts.list(signal)
      return table(rows.map((r) => [r.user, r.scheme, r.enabled ? '' : 'disabled']))
    }
    case 'remove':
      await accounts.remove(name, signal)
      return `${name} can no longer log in; the mail is still there`
    case 'add': {
      const known = await knownAccounts(accounts, signal)
      if (known.some((r) => r.user === name)) throw new CommandFailure(EXIT.failed, `there is already a user "${name}"`)
      await accounts.add(name, secret(await readNewPassword(name)), AbortSignal.timeout(TIMEOUT_MS))
      return `${name} can log in now`
    }
    default:
      // Told before anybody thinks of a password.
      if (!(await accounts.list(signal)).some((r) => r.user === name)) throw new CommandFailure(EXIT.noUser, `there is no user "${name}"`)
      await accounts.setPassword(name, secret(await readNewPassword(name)), AbortSignal.timeout(TIMEOUT_MS))
      return `${name} has a new password`
  }
}

/** Accounts of a backend that may not have been used yet; whether it can be reached shows when something is added. */
export function knownAccounts(accounts: AccountEditor, signal: AbortSignal): ReturnType<AccountEditor['list']> {
  return accounts.list(signal).catch((error: unknown) => {
    if (error instanceof MailError && error.kind === 'unavailable') return []
    throw error
  })
}

/** The first backend of the host whose accounts can be edited. */
export function editorOf(server: Pick<OfflineServer, 'kernel'>, hostId: string | undefined): AccountEditor {
  const host = hostId === undefined ? server.kernel.hosts.values().next().value : server.kernel.host(hostId)
  if (host === undefined) throw new CommandFailure(EXIT.usage, `there is no host "${hostId ?? ''}"`)
  for (const { made } of host.entries(passwordBackends)) if (made.accounts !== undefined) return made.accounts
  throw new CommandFailure(EXIT.failed, `host "${host.id}" has no password backend whose accounts can be edited`)
}
