import type { CommandContext } from './command.js'
import { CommandFailure, EXIT } from './exit-codes.js'
import { actAs } from './mail-account.js'
import type { ServerParts } from './running-server.js'
import { MailServer } from './server.js'
import { portsOfProtocols } from './service-ports.js'
import { startConfigured } from './start-configured.js'
import { lendOutput } from './terminal.js'

/** How a connection on standard input is encrypted, when it is a socket. */
export type StdinTls = 'none' | 'starttls' | 'implicit'

/** @throws CommandFailure for what is said and none of them. */
export function stdinTls(said: string | undefined): StdinTls | undefined {
  if (said === undefined || said === 'none' || said === 'starttls' || said === 'implicit') return said
  throw new CommandFailure(EXIT.usage, '--tls is none, starttls or implicit')
}
/** How a connection is encrypted where nobody said so: as the port that the client connected to is for (`imaps`, `pop3s` of services(5)). */
export async function tlsByPort({ kernel }: MailServer, protocol: string, port: number | undefined): Promise<StdinTls> {
  const ports = (await portsOfProtocols(kernel.wiring.slots)).get(protocol)
  return port !== undefined && port === ports?.tls ? 'implicit' : 'starttls'
}

/** Starts a server without listeners for the one connection that the process was started with, and stops it afterwards. The exit code is returned. */
export async function serveOneConnection(context: CommandContext, config: string | undefined, serve: (server: MailServer) => Promise<void>, choice: Pick<ServerParts, 'delivery' | 'unused'> = {}): Promise<number> {
  lendOutput()
  const server = await startConfigured(context, config, (source, log) => MailServer.start({ source, log, inherited: new Map(), listen: false, actAs, ...choice }))
  if (server === undefined) return EXIT.configuration
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
