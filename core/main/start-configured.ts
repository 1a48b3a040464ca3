import { StartFailure } from '../api/index.js'
import type { ConfigSource } from '../config/plan/types.js'
import { LogHub } from '../log/log-hub.js'
import { StreamSink } from '../log/sinks/stream-sink.js'
import type { CommandContext } from './command.js'
import { locateConfig } from './config-file.js'
import { problemText } from './problem-text.js'
import { say } from './terminal.js'

/**
 * Starts something for a command, with the configuration that its command line means; warnings go to standard error.
 * @param start throws what would keep a server from starting as a StartFailure.
 * @returns undefined when the configuration cannot be used: its problems were shown, and the command ends with EXIT.configuration.
 */
export async function startConfigured<T>({ terminal, env }: CommandContext, config: string | undefined, start: (source: ConfigSource, log: LogHub) => Promise<T>): Promise<T | undefined> {
  const log = new LogHub(new StreamSink(process.stderr, { level: 'warn', format: 'auto', env }))
  try {
    const { source } = await locateConfig(config, env)
    return await start(source, log)
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: false }))
    return undefined
  }
}
