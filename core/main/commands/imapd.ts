import { userInfo } from 'node:os'
import { userDirectories } from '../../api/index.js'
import type { MailUser, PeerFacts } from '../../api/index.js'
import { inheritedConnection, streamLink } from '../../net/stdio-link.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { clientOf, serveOneConnection, stdinTls, tlsByPort } from '../one-connection.js'
import type { MailServer } from '../server.js'
import { newSessionId } from '../session-id.js'

const STANDARD_INPUT = 0

/**
 * `mailwright imapd`: one connection on standard input and output. Under inetd or a socket unit it is a network connection with a
 * login; started by an ordinary account over ssh it is that account's session from the beginning.
 */
export function run(context: CommandContext): Promise<number> {
  const { args, env } = context
  const { values } = parseCommandLine(args, {
    config: { type: 'string', short: 'c' },
    protocol: { type: 'string', default: 'imap4' },
    tls: { type: 'string' },
    user: { type: 'string' },
  })
  const { protocol } = values
  const tls = stdinTls(values.tls)
  return serveOneConnection(context, values.config, async (server) => {
    const root = process.getuid?.() === 0
    const socket = root && values.user === undefined ? inheritedConnection(STANDARD_INPUT) : undefined
    if (socket !== undefined) {
      await server.connections.serveSocket(socket, { id: 'stdin', protocol, tls: tls ?? (await tlsByPort(server, protocol, socket.localPort)) })
      return
    }
    const peer: PeerFacts = { session: newSessionId(), address: clientOf(env), localAddress: '', localPort: 0, service: 'imap' }
    const link = streamLink(process.stdin, process.stdout, peer, { stopping: server.connections.stopping })
    if (root && values.user === undefined) await server.connections.serve(link, protocol)
    else {
      if (!root && values.user !== undefined && values.user !== userInfo().username) throw new CommandFailure(EXIT.usage, 'only root may choose the user')
      await server.connections.servePreauthenticated(link, protocol, await userOf(server, values.user ?? userInfo().username))
    }
  })
}

async function userOf(server: MailServer, name: string): Promise<MailUser> {
  const host = server.kernel.hosts.values().next().value
  for (const { made } of host?.entries(userDirectories) ?? []) {
    const found = await made.find(name, AbortSignal.timeout(30_000))
    if (found !== undefined) return found
  }
  throw new CommandFailure(EXIT.noUser, `there is no account "${name}"`)
}
