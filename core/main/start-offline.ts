import { StartFailure } from '../api/index.js'
import type { ConfigSource } from '../config/plan/types.js'
import { LogHub } from '../log/log-hub.js'
import { StreamSink } from '../log/sinks/stream-sink.js'
import type { CommandContext } from './command.js'
import { locateConfig } from './config-file.js'
import type { DeliveryRules } from './delivery/local-delivery.js'
import type { ActAs } from './opened-mail.js'
import { problemText } from './problem-text.js'
import { MailServer } from './server.js'
import { say } from './terminal.js'

/** What a command may want besides. */
export interface OfflineChoice {
  /** As for MailServer.start. */
  readonly actAs?: ActAs
  readonly delivery?: DeliveryRules
  /** What would keep the server from starting is thrown as a StartFailure. */
  readonly check?: (source: ConfigSource) => void
}

/**
 * Starts a server without listeners, for a command; warnings go to standard error. To be stopped by the caller.
 * @returns undefined when the configuration cannot be used: its problems were shown, and the command ends with EXIT.configuration.
 */
export async function startOffline({ terminal, env }: CommandContext, config: string | undefined, { check, ...choice }: OfflineChoice = {}): Promise<{ readonly server: MailServer; readonly log: LogHub } | undefined> {
  const log = new LogHub(new StreamSink(process.stderr, { level: 'warn', format: 'auto', env }))
  try {
    const { source } = await locateConfig(config, env)
    check?.(source)
    return { server: await MailServer.start({ source, log, inherited: new Map(), listen: false, ...choice }), log }
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: false }))
    return undefined
  }
}
