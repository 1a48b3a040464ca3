import { StartFailure } from '../api/index.js'
import type { ConfigPlan } from '../config/plan/types.js'
import { knownPoints } from './always.js'
import { located } from './located.js'
import type { ConfigOrigin } from './processes/messages.js'
import { Supervisor } from './processes/supervisor.js'
import type { RunningServer, ServerParts } from './running-server.js'
import { MailServer } from './server.js'

/** Directory of accounts that are those of the machine. */
const SYSTEM_ACCOUNTS = 'system'

/**
 * Starts the server in the process model of its configuration.
 * @throws StartFailure with everything that is wrong; nothing stays open then.
 */
export async function startServer(parts: ServerParts, origin: ConfigOrigin): Promise<RunningServer> {
  const plan = parts.source.plan(knownPoints)
  return modelOf(plan, process.getuid?.() === 0) === 'per-user' ? Supervisor.start(parts, origin) : MailServer.start(parts)
}

/**
 * The process model: what the configuration says, else per-user where root serves system accounts.
 * @throws StartFailure where one process of root's would touch everybody's mail.
 */
export function modelOf(plan: ConfigPlan, root: boolean): 'single' | 'per-user' {
  const host = root ? plan.hosts.find(({ slots }) => slots.some(({ point, entries }) => point === 'auth.users' && entries?.some(({ use }) => use.split('/').at(-1) === SYSTEM_ACCOUNTS))) : undefined
  const { model } = plan.processes
  if (model === 'auto') return host === undefined ? 'single' : 'per-user'
  if (model === 'single' && host !== undefined) {
    const message = `"single" would serve the system accounts of host "${host.id}" in one process with all the rights of root`
    throw new StartFailure(located([{ code: 'PRC_NEEDS_PER_USER', severity: 'error', path: 'processes.model', message, hint: 'leave it out, say "per-user", or start the server from an account without rights' }], plan))
  }
  return model
}
