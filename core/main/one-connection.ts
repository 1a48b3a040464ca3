import { StartFailure } from '../api/index.js'
import { LogHub } from '../log/log-hub.js'
import { StreamSink } from '../log/sinks/stream-sink.js'
import type { CommandContext } from './command.js'
import { locateConfig } from './config-file.js'
import type { DeliveryRules } from './delivery/local-delivery.js'
import { CommandFailure, EXIT } from './exit-codes.js'
import { actAs } from './mail-account.js'
import { problemText } from './problem-text.js'
import { MailServer } from './server.js'
import { lendOutput, say } from './terminal.js'

/** How a connection on standard input is encrypted, when it is a socket. */
export type StdinTls = 'none' | 'starttls' | 'implicit'

/** @throws CommandFailure for anything else. */
export function stdinTls(said: string): StdinTls {
  if (said === 'none' || said === 'starttls' || said === 'implicit') return said
  throw new CommandFailure(EXIT.usage, '--tls is none, starttls or implicit')
}

/** Starts a server without listeners for the one connection that the process was started with, and stops it afterwards. The exit code is returned. */
export async function serveOneConnection({ terminal, env }: CommandContext, config: string | undefined, serve: (server: MailServer) => Promise<void>, delivery?: DeliveryRules): Promise<number> {
  lendOutput()
  const log = new LogHub(new StreamSink(process.stderr, { level: 'warn', format: 'auto', env }))
  let server: MailServer
  try {
    const { source } = await locateConfig(config, env)
    server = await MailServer.start({ source, log, inherited: new Map(), listen: false, actAs, ...(delivery === undefined ? {} : { delivery }) })
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: false }))
    return EXIT.configuration
  }
  const onStop = (): void => void server.stop()
  // The server is stopped below, when the session is over; without one it is at once.
  const onHangUp = (): void => {
    if (!server.connections.hangUp()) onStop()
  }
  process.once('SIGTERM', onStop)
  process.once('SIGHUP', onHangUp)
  try {
    await serve(server)
    return EXIT.ok
  } finally {
    process.off('SIGTERM', onStop)
    process.off('SIGHUP', onHangUp)
    await server.stop()
  }
}

/** First word of the variable that sshd or a Kerberos rsh leaves; `UNKNOWN` otherwise. */
export function clientOf(env: NodeJS.ProcessEnv): string {
  const said = env['SSH_CLIENT'] ?? env['KRB5REMOTEADDR'] ?? env['SSH2_CLIENT']
  return said?.split(' ', 1)[0] ?? 'UNKNOWN'
}
