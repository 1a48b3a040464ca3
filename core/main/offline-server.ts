import { certificateSources, imapExtensions, observers, passwordSchemes, pop3Extensions, protocols, saslMechanisms, services, transcripts, transportLayers, workarounds } from '../api/index.js'
import type { ConfigPlan, ConfigSource } from '../config/plan/types.js'
import type { Kernel } from '../kernel/kernel.js'
import type { AnyPoint } from '../kernel/plan.js'
import type { LogHub } from '../log/log-hub.js'
import type { CommandContext } from './command.js'
import { configuredKernel } from './configured-kernel.js'
import { EXIT } from './exit-codes.js'
import { startConfigured } from './start-configured.js'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Points of sessions, and of work beside them: nobody connects here. */
const SESSIONS_ALONE: readonly AnyPoint[] = [certificateSources, imapExtensions, observers, pop3Extensions, protocols, saslMechanisms, services, transcripts, transportLayers, workarounds]
/** Who works on mail asks for accounts, and for nobody's password. */
const NO_PASSWORDS: readonly AnyPoint[] = [...SESSIONS_ALONE, passwordSchemes]

/** Accounts and mail of a configuration, for a command that serves nobody. Another server may run at the same time. */
export interface OfflineServer {
  readonly kernel: Kernel<ConfigPlan>
  readonly log: LogHub
  stop(): Promise<void>
}

/** @throws StartFailure with everything that is wrong; nothing stays open then. */
export async function startOffline(source: ConfigSource, log: LogHub, unused = SESSIONS_ALONE): Promise<OfflineServer> {
  const kernel = await configuredKernel(source, log, { unused })
  return {
    kernel,
    log,
    async stop() {
      log.use([])
      await kernel.stop()
    },
  }
}

/** What work on mail gets. */
export interface OfflineWork {
  readonly server: OfflineServer
  /** Given when the process is told to end: what is under way is undone or finished, never left half done. */
  readonly signal: AbortSignal
}

/**
 * Work on mail from the command line, with the plugins, locks and settings of the configuration.
 * @returns what the work returns, or the exit code of a configuration that cannot be used, of which the problems were shown.
 */
export async function withOfflineServer(context: CommandContext, config: string | undefined, work: (at: OfflineWork) => Promise<number>): Promise<number> {
  const server = await startConfigured(context, config, (source, log) => startOffline(source, log, NO_PASSWORDS))
  if (server === undefined) return EXIT.configuration
  const stopping = new AbortController()
  const onSignal = (name: string): void => stopping.abort(new Error(`stopped by ${name}`))
  for (const name of SIGNALS) process.once(name, onSignal)
  try {
    return await work({ server, signal: stopping.signal })
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal)
    await server.stop()
  }
}
