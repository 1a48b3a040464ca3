import { resolve } from 'node:path'
import { configOf, readConfig } from '../config/config.js'
import { machineName } from '../config/machine-name.js'
import type { Reloaded } from '../kernel/kernel.js'
import { LogHub } from '../log/log-hub.js'
import { StreamSink } from '../log/sinks/stream-sink.js'
import type { ServerAddress } from './bindings.js'
import type { ConfigOrigin } from './processes/messages.js'
import type { RunningServer } from './running-server.js'
import { startServer } from './start-server.js'

export type { ServerAddress } from './bindings.js'
export type { Reloaded } from '../kernel/kernel.js'
export { StartFailure } from '../api/problem.js'

/** A server inside a program. */
export interface EmbeddedServer extends AsyncDisposable {
  /** @throws StartFailure with every problem at once. */
  start(): Promise<void>
  /** Lets sessions end, then closes everything. Twice does no harm. */
  stop(): Promise<void>
  /** Where it listens; empty before `start`. */
  readonly addresses: readonly ServerAddress[]
  /** Takes up another configuration, or the same file again. @throws StartFailure, and nothing has changed. */
  reload(config?: object | string): Promise<Reloaded>
}

/** How to embed a server. */
export interface EmbedOptions {
  /** Folder of relative paths and packages of a configuration given as a value; the working directory without it. */
  readonly folder?: string
}

/**
 * The same server as `mailwright serve`, in this process.
 *
 * @param config path of a configuration file, or its content as a value.
 */
export function createServer(config: object | string, options: EmbedOptions = {}): EmbeddedServer {
  const log = new LogHub(new StreamSink(process.stderr, { level: 'info', format: 'auto' }))
  const read = (what: object | string): ReturnType<typeof readConfig> =>
    typeof what === 'string' ? readConfig(what) : machineName().then((name) => configOf(what, options.folder ?? process.cwd(), name))
  const origin = (what: object | string): ConfigOrigin => (typeof what === 'string' ? { file: resolve(what) } : { value: what, folder: options.folder ?? process.cwd() })
  let server: RunningServer | undefined
  const stop = async (): Promise<void> => {
    await server?.stop()
  }
  return {
    async start() {
      if (server !== undefined) throw new Error('the server was already started')
      server = await startServer({ source: await read(config), log, inherited: new Map(), listen: true }, origin(config))
    },
    stop,
    get addresses() {
      return server?.addresses ?? []
    },
    async reload(next) {
      if (server === undefined) throw new Error('the server is not running')
      return server.reload(await read(next ?? config), origin(next ?? config))
    },
    [Symbol.asyncDispose]: stop,
  }
}
