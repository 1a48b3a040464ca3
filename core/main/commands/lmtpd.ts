import { once } from 'node:events'
import { inheritedConnection } from '../../net/stdio-link.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { LmtpInput } from '../lmtp/input.js'
import { ServerPostmaster } from '../lmtp/postmaster.js'
import { LmtpSession } from '../lmtp/session.js'
import { withOfflineServer } from '../offline-server.js'

const STANDARD_INPUT = 0
/** How long a mail transport may say nothing (RFC 5321 §4.5.3.2.7). */
const WAIT_MS = 300_000

/** `mailwright lmtpd`: one connection of a mail transport on standard input and output. */
export async function run(context: CommandContext): Promise<number> {
  const { values } = parseCommandLine(context.args, { config: { type: 'string', short: 'c' }, host: { type: 'string' }, create: { type: 'boolean', default: false } })
  if (process.geteuid?.() === 0) throw new CommandFailure(EXIT.usage, 'lmtpd delivers with the rights of one user for all: start it as the user who owns the mail; where accounts have users of their own, "mailwright deliver" is the way')
  return await withOfflineServer(context, values.config, async ({ server, log, signal }) => {
    const socket = inheritedConnection(STANDARD_INPUT)
    const input = socket ?? process.stdin
    const say = async (text: string): Promise<void> => {
      if (!process.stdout.write(text)) await once(process.stdout, 'drain', { signal: AbortSignal.timeout(WAIT_MS) })
    }
    const session = new LmtpSession(new LmtpInput(input, WAIT_MS, signal), say, new ServerPostmaster(server, log, { host: values.host, create: values.create }, signal))
    try {
      await session.run(signal)
      return EXIT.ok
    } catch (error) {
      // What was not answered is still with the other side.
      log.warn('the connection ended', { reason: error instanceof Error ? error.message : String(error) })
      return EXIT.temporary
    } finally {
      input.destroy()
    }
  })
}
