import { userInfo } from 'node:os'
import { POP3_SETTINGS } from '../../api/index.js'
import type { PeerFacts } from '../../api/index.js'
import { inheritedConnection, streamLink } from '../../net/stdio-link.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { clientOf, serveOneConnection, stdinTls, tlsByPort } from '../one-connection.js'
import { newSessionId } from '../session-id.js'

const STANDARD_INPUT = 0

/**
 * `mailwright pop3d`: one connection on standard input and output, always with a login. Whoever started it over a pipe (ssh) may log in as
 * itself by EXTERNAL; a client at the other end of a socket is a stranger, whoever started the server.
 */
export function run(context: CommandContext): Promise<number> {
  const { values } = parseCommandLine(context.args, {
    config: { type: 'string', short: 'c' },
    protocol: { type: 'string', default: 'pop3' },
    tls: { type: 'string' },
  })
  const { protocol } = values
  const tls = stdinTls(values.tls)
  return serveOneConnection(context, values.config, async (server) => {
    const socket = inheritedConnection(STANDARD_INPUT)
    // Programs that start others give them sockets without an address for pipes.
    if (socket?.remoteAddress !== undefined) {
      await server.connections.serveSocket(socket, { id: 'stdin', protocol, tls: tls ?? (await tlsByPort(server, protocol, socket.localPort)) })
      return
    }
    const host = server.kernel.hosts.values().next().value
    const isOwner = process.getuid?.() !== 0 && host?.get(POP3_SETTINGS).externalForOwner === true
    const identity = isOwner ? { externalIdentity: userInfo().username } : {}
    const peer: PeerFacts = { session: newSessionId(), address: clientOf(context.env), localAddress: '', localPort: 0, service: 'pop', ...identity }
    await server.connections.serve(streamLink(socket ?? process.stdin, process.stdout, peer, { stopping: server.connections.stopping }), protocol)
  })
}
