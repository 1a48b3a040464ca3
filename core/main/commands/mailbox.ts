import { mailboxFormats, MailError, MAIL_DOOR } from '../../api/index.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { actAs, findAccount } from '../mail-account.js'
import { ACTIONS } from '../mailbox-tools/actions.js'
import { withOfflineServer } from '../offline-server.js'

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  host: { type: 'string' },
  format: { type: 'string' },
  to: { type: 'string' },
  merge: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
} as const

/** `mailwright mailbox`: what mail clients do to whole mailboxes, without one. */
export async function run(context: CommandContext): Promise<number> {
  const { values, positionals } = parseCommandLine(context.args, OPTIONS, { least: 2, most: Number.POSITIVE_INFINITY })
  const [word = '', typed = '', ...args] = positionals
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined
  if (action === undefined) throw new CommandFailure(EXIT.usage, `unknown action "${word}": ${Object.keys(ACTIONS).join(', ')}`)
  if (args.length < action.least || args.length > action.most) throw new CommandFailure(EXIT.usage, `usage: mailwright mailbox ${word} USER ${action.words}`)
  const { merge, format = values.to } = values
  if (merge !== undefined && merge !== 'append' && merge !== 'skip' && !/^suffix=./.test(merge)) throw new CommandFailure(EXIT.usage, `unknown merge option: ${merge}; append, skip or suffix=TEXT`)
  return await withOfflineServer(context, values.config, async ({ server, signal }) => {
    const { host, user } = await findAccount(server, typed, values.host, signal)
    const formats = host.entries(mailboxFormats)
    // Here, so that --dry-run says it too.
    if (format !== undefined && !formats.some(({ name }) => name === format)) throw new CommandFailure(EXIT.usage, `unknown format "${format}": ${formats.map(({ name }) => name).join(', ')}`)
    await actAs(user)
    await using mail = await host.get(MAIL_DOOR).open(user, signal)
    const folders = new Set(formats.filter(({ about }) => about.hierarchy).map(({ name }) => name))
    try {
      return await action.run({ mail, terminal: context.terminal, signal, format, merge, dryRun: values['dry-run'], holdsOthers: (name) => folders.has(name) }, args)
    } catch (error) {
      if (!(error instanceof MailError)) throw error
      throw new CommandFailure(EXIT.failed, `${word} ${args.join(' ')}: ${error.message}`, { cause: error })
    }
  })
}
