import { userInfo } from 'node:os'
import { StartFailure, userDirectories } from '../../api/index.js'
import type { MailUser, PeerFacts } from '../../api/index.js'
import { LogHub } from '../../log/log-hub.js'
import { StreamSink } from '../../log/sinks/stream-sink.js'
import { inheritedConnection, streamLink } from '../../net/stdio-link.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { locateConfig } from '../config-file.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { problemText } from '../problem-text.js'
import { MailServer } from '../server.js'
import { newSessionId } from '../session-id.js'
import { say } from '../terminal.js'

const STANDARD_INPUT = 0

/**
 * `mailwright imapd`: one connection on standard input and output. Under inetd or a socket unit it is a network connection with a
 * login; started by an ordinary account over ssh it is that account's session from the beginning.
 */
export async function run({ args, terminal, env }: CommandContext): Promise<number> {
  const { values } = parseCommandLine(args, {
    config: { type: 'string', short: 'c' },
    protocol: { type: 'string', default: 'imap4' },
    tls: { type: 'string', default: 'starttls' },
    user: { type: 'string' },
  })
  const { protocol, tls } = values
  if (tls !== 'none' && tls !== 'starttls' && tls !== 'implicit') throw new CommandFailure(EXIT.usage, '--tls is none, starttls or implicit')
  // Standard output belongs to the client.
  const log = new LogHub(new StreamSink(process.stderr, { level: 'warn', format: 'auto', env }))
  let server: MailServer
  try {
    const { source } = await locateConfig(values.config, env)
    server = await MailServer.start({ source, log, inherited: new Map(), listen: false })
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: false }))
    return EXIT.configuration
  }
  const onSignal = (): void => void server.stop()
  process.once('SIGTERM', onSignal)
  process.once('SIGHUP', onSignal)
  try {
    const root = process.getuid?.() === 0
    const socket = root && values.user === undefined ? inheritedConnection(STANDARD_INPUT) : undefined
    if (socket !== undefined) {
      await server.connections.serveSocket(socket, { id: 'stdin', protocol, tls })
      return EXIT.ok
    }
    const peer: PeerFacts = { session: newSessionId(), address: clientOf(env), localAddress: '', localPort: 0, service: 'imap' }
    const link = streamLink(process.stdin, process.stdout, peer, { stopping: server.connections.stopping })
    if (root && values.user === undefined) await server.connections.serve(link, protocol)
    else {
      if (!root && values.user !== undefined && values.user !== userInfo().username) throw new CommandFailure(EXIT.usage, 'only root may choose the user')
      await server.connections.servePreauthenticated(link, protocol, await userOf(server, values.user ?? userInfo().username))
    }
    return EXIT.ok
  } finally {
    process.off('SIGTERM', onSignal)
    process.off('SIGHUP', onSignal)
    await server.stop()
  }
}

/** First word of the variable that sshd or a Kerberos rsh leaves; `UNKNOWN` otherwise. */
function clientOf(env: NodeJS.ProcessEnv): string {
  const said = env['SSH_CLIENT'] ?? env['KRB5REMOTEADDR'] ?? env['SSH2_CLIENT']
  return said?.split(' ', 1)[0] ?? 'UNKNOWN'
}

async function userOf(server: MailServer, name: string): Promise<MailUser> {
  const host = server.kernel.hosts.values().next().value
  for (const { made } of host?.entries(userDirectories) ?? []) {
    const found = await made.find(name, AbortSignal.timeout(30_000))
    if (found !== undefined) return found
  }
  throw new CommandFailure(EXIT.noUser, `there is no account "${name}"`)
}
