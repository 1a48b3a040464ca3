import { StartFailure } from '../api/index.js'
import { LogHub } from '../log/log-hub.js'
import { StreamSink } from '../log/sinks/stream-sink.js'
import type { CommandContext } from './command.js'
import { locateConfig } from './config-file.js'
import { EXIT } from './exit-codes.js'
import { problemText } from './problem-text.js'
import { MailServer } from './server.js'
import { say } from './terminal.js'

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
export async function withOfflineServer({ terminal, env }: CommandContext, config: string | undefined, work: (at: OfflineServer) => Promise<number>): Promise<number> {
  const log = new LogHub(new StreamSink(process.stderr, { level: 'warn', format: 'auto', env }))
  let server: MailServer
  try {
    const { source } = await locateConfig(config, env)
    server = await MailServer.start({ source, log, inherited: new Map(), listen: false })
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: false }))
    return EXIT.configuration
  }
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
