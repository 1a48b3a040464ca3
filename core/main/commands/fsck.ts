import { MailError, MAIL_DOOR } from '../../api/index.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { actAs, findAccount } from '../mail-account.js'
import { fsck } from '../mailbox-tools/fsck.js'
import { withOfflineServer } from '../offline-server.js'
import { say } from '../terminal.js'

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  host: { type: 'string' },
  repair: { type: 'boolean', default: false },
} as const

/** `mailwright fsck`: what is wrong with mailboxes, and good ones in their place. */
export async function run(context: CommandContext): Promise<number> {
  const { values, positionals } = parseCommandLine(context.args, OPTIONS, { least: 2, most: Number.POSITIVE_INFINITY })
  const [typed = '', ...names] = positionals
  const { terminal } = context
  return await withOfflineServer(context, values.config, async ({ server, signal }) => {
    const { host, user } = await findAccount(server, typed, values.host, signal)
    await actAs(user)
    await using mail = await host.get(MAIL_DOOR).open(user, signal)
    const work = { mail, terminal, signal, format: undefined, merge: undefined, dryRun: !values.repair, holdsOthers: () => true }
    let good = true
    for (const name of names) {
      try {
        good = (await fsck(work, name, values.repair)) && good
      } catch (error) {
        if (!(error instanceof MailError) || error.kind === 'cancelled') throw error
        say(terminal.err, `${name}: ${error.message}`)
        good = false
      }
    }
    return good ? EXIT.ok : EXIT.failed
  })
}
