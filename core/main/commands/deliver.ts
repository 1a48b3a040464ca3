import { userInfo } from 'node:os'
import { CLOCK, HOST, MAIL_DOOR, SPOOL, SYSTEM } from '../../api/index.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { fileMessage } from '../delivery/deliver.js'
import { deliveryExitCode, patient } from '../delivery/exit-code.js'
import { arriving } from '../delivery/message.js'
import { folderFault, recipientOf } from '../delivery/recipient.js'
import { traceLines } from '../delivery/trace.js'
import { isFlagKeyword } from '../../mail/table/flag-keyword.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { actAs, findAccount } from '../mail-account.js'
import { withOfflineServer } from '../offline-server.js'
import { say } from '../terminal.js'

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  host: { type: 'string' },
  from: { type: 'string', short: 'f', multiple: true },
  seen: { type: 'boolean', short: 's', default: false },
  keywords: { type: 'string', short: 'k' },
  create: { type: 'boolean', default: false },
  'user-mode': { type: 'boolean', default: false },
  'all-temporary': { type: 'boolean', default: false },
} as const

/** `mailwright deliver`: one message from standard input into a mailbox, with the exit codes that mail transports understand. */
export async function run(context: CommandContext): Promise<number> {
  const everyFailure = context.args.includes('--all-temporary')
  const ends = (code: number): number => (code !== EXIT.ok && everyFailure ? EXIT.temporary : patient(code))
  // Whatever happens to this program, the message is still with the one that handed it over.
  process.on('uncaughtException', (error) => {
    say(context.terminal.err, `mailwright: ${error.stack ?? error.message}`)
    process.exit(EXIT.temporary)
  })
  try {
    return ends(await deliver(context))
  } catch (error) {
    say(context.terminal.err, `mailwright: ${error instanceof Error ? error.message : String(error)}`)
    return ends(deliveryExitCode(error))
  }
}

async function deliver(context: CommandContext): Promise<number> {
  // `-r`, as delivery agents of sendmail are called.
  const args = context.args.map((arg) => (arg === '-r' ? '-f' : arg))
  const { values, positionals } = parseCommandLine(args, OPTIONS, { least: 0, most: 2 })
  const recipient = recipientOf(positionals)
  const { from: senders = [] } = values
  if (senders.length > 1) throw new CommandFailure(EXIT.usage, 'there is one sender: -f was given twice')
  return await withOfflineServer(context, values.config, async ({ server, signal }) => {
    const { log } = server
    const { host, user } = await findAccount(server, recipient.account ?? userInfo().username, values.host, signal)
    await actAs(user)
    const fault = recipient.folder === undefined ? undefined : folderFault(recipient.folder, values['user-mode'])
    if (fault !== undefined) log.warn('the folder is not taken, INBOX gets the message', { user: user.name, folder: recipient.folder, reason: fault })
    const words = (values.keywords ?? '').split(/\s+/).filter((word) => word !== '')
    const keywords = words.filter(isFlagKeyword)
    // No reason to keep the message waiting.
    if (keywords.length < words.length) log.warn('what is no keyword is left out', { user: user.name, keywords: words.filter((word) => !isFlagKeyword(word)).join(' ') })
    const ms = host.get(CLOCK).now()
    const trace = traceLines({ serverName: host.get(HOST).serverName, recipient: positionals.join('') || user.name, sender: senders[0], ms })
    await using message = await host.get(SPOOL).take({ size: undefined, bytes: arriving(process.stdin, trace), binary: false, system: 0, keywords: [], facts: new Map() }, signal)
    await using mail = await host.get(MAIL_DOOR).open(user, signal)
    const { mailbox, result } = await fileMessage(
      mail,
      {
        message,
        folder: fault === undefined ? recipient.folder : undefined,
        create: values.create,
        system: values.seen ? SYSTEM.seen : 0,
        keywords,
        ms,
      },
      log,
      signal,
    )
    log.info('delivered', { user: user.name, mailbox, octets: message.size, uid: result?.uids.ranges[0], from: senders[0] })
    return EXIT.ok
  })
}
