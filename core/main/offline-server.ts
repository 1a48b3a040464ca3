import type { LogHub } from '../log/log-hub.js'
import type { CommandContext } from './command.js'
import { EXIT } from './exit-codes.js'
import type { MailServer } from './server.js'
import { startOffline } from './start-offline.js'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A server without listeners, and what ends its work early. */
export interface OfflineServer {
  readonly server: MailServer
  readonly log: LogHub
  /** Given when the process is told to end: what is under way is undone or finished, never left half done. */
  readonly signal: AbortSignal
}

/**
 * Work on mail from the command line, with the plugins, locks and settings of the configuration. Another server may run at the same time.
 * @returns what the work returns, or the exit code of a configuration that cannot be used, of which the problems were shown.
 */
export async function withOfflineServer(context: CommandContext, config: string | undefined, work: (at: OfflineServer) => Promise<number>): Promise<number> {
  const started = await startOffline(context, config)
  if (started === undefined) return EXIT.configuration
  const { server, log } = started
  const stopping = new AbortController()
  const onSignal = (name: string): void => stopping.abort(new Error(`stopped by ${name}`))
  for (const name of SIGNALS) process.once(name, onSignal)
  try {
    return await work({ server, log, signal: stopping.signal })
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal)
    await server.stop()
  }
}
