import { imapExtensions, passwordSchemes, pop3Extensions, protocols, saslMechanisms, workarounds } from '../../api/index.js'
import type { PeerFacts } from '../../api/index.js'
import { inheritedConnection, streamLink } from '../../net/stdio-link.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { serveOneConnection } from '../one-connection.js'
import { newSessionId } from '../session-id.js'

const STANDARD_INPUT = 0
const PROTOCOL = 'lmtp'
/** Points of the other protocols, and of logins. */
const UNUSED = [imapExtensions, passwordSchemes, pop3Extensions, saslMechanisms, workarounds]

/** `mailwright lmtpd`: one connection of a mail transport on standard input and output. */
export async function run(context: CommandContext): Promise<number> {
  const { values } = parseCommandLine(context.args, { config: { type: 'string', short: 'c' }, host: { type: 'string' }, create: { type: 'boolean', default: false } })
  if (process.geteuid?.() === 0) throw new CommandFailure(EXIT.usage, 'lmtpd delivers with the rights of one user for all: start it as the user who owns the mail; where accounts have users of their own, let "mailwright serve" listen for LMTP')
  const delivery = { host: values.host, ...(values.create ? { createFolder: true } : {}) }
  return await serveOneConnection(
    context,
    values.config,
    async (server) => {
      const [host] = server.kernel.hosts.values()
      if (host?.entries(protocols).some(({ name }) => name === PROTOCOL) !== true) throw new CommandFailure(EXIT.configuration, `host ${host?.id ?? ''} does not serve ${PROTOCOL}: its list "protocols" leaves it out`)
      const socket = inheritedConnection(STANDARD_INPUT)
      // Programs that start others give them sockets without an address for pipes.
      if (socket?.remoteAddress !== undefined) {
        await server.connections.serveSocket(socket, { id: 'stdin', protocol: PROTOCOL, tls: 'none' })
        return
      }
      const peer: PeerFacts = { session: newSessionId(), address: '', localAddress: '', localPort: 0, service: PROTOCOL }
      await server.connections.serve(streamLink(socket ?? process.stdin, process.stdout, peer, { stopping: server.connections.stopping }), PROTOCOL)
    },
    { delivery, unused: UNUSED },
  )
}
