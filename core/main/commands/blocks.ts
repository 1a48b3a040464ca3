import { loginPolicies, StartFailure } from '../../api/index.js'
import type { LoginPolicy } from '../../api/index.js'
import type { HostView } from '../../kernel/kernel.js'
import { knownPoints } from '../always.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { locateConfig } from '../config-file.js'
import { askServer } from '../control.js'
import type { ControlAnswer } from '../control.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { problemText } from '../problem-text.js'
import { runDirectory } from '../run-directory.js'
import { say, table } from '../terminal.js'

/** `mailwright blocks list|clear`: whom the running server keeps out. */
export async function run({ args, terminal, env }: CommandContext): Promise<number> {
  const { values, positionals } = parseCommandLine(args, { config: { type: 'string', short: 'c' } }, { least: 1, most: 2 })
  const [what = '', key] = positionals
  if ((what !== 'list' && what !== 'clear') || (what === 'list' && key !== undefined)) throw new CommandFailure(EXIT.usage, 'say "list", or "clear" with a user, address or network')
  if (key !== undefined && /[\r\n]/.test(key)) throw new CommandFailure(EXIT.usage, 'a key is one line')
  try {
    const { source } = await locateConfig(values.config, env)
    const answer = await askServer(runDirectory(source.plan(knownPoints), env), `blocks ${what}${key === undefined ? '' : ` ${key}`}`)
    say(answer.ok ? terminal.out : terminal.err, answer.text)
    return answer.ok ? EXIT.ok : EXIT.failed
  } catch (error) {
    if (error instanceof StartFailure) {
      say(terminal.err, problemText(error.problems, { colours: false }))
      return EXIT.configuration
    }
    say(terminal.err, `no server answers: ${error instanceof Error ? error.message : String(error)}`)
    return EXIT.unavailable
  }
}

/** What the running server says to `blocks list` and `blocks clear KEY`. */
export function answerBlocks(hosts: Iterable<HostView>, request: `blocks ${string}`): ControlAnswer {
  // In a process that does not check logins, policies are known and not made.
  const lists = [...hosts].flatMap((host) =>
    host.entries(loginPolicies).flatMap((entry) => {
      const made: LoginPolicy | undefined = entry.made
      return made?.blocks === undefined ? [] : [{ host: host.id, blocks: made.blocks }]
    }),
  )
  if (lists.length === 0) return { ok: false, text: 'no policy of this process keeps anybody out; "auth.policies: [guard]" makes one, and with "processes.model: per-user" it is in the authenticator' }
  const [, what, , key] = /^blocks (list|clear)( (.*))?$/.exec(request) ?? []
  if (what === 'clear') {
    const cleared = lists.reduce((sum, { blocks }) => sum + blocks.clear(key), 0)
    return { ok: true, text: cleared === 0 ? 'nobody was kept out' : `${cleared} let in again` }
  }
  const rows = lists.flatMap(({ host, blocks }) => blocks.list().map((b) => [host, b.rule, `${b.what} ${b.key}`, b.dryRun ? `${b.effect} (dry run)` : b.effect, b.evidence, `until ${new Date(b.until).toISOString()}`]))
  return { ok: true, text: rows.length === 0 ? 'nobody is kept out' : table(rows) }
}
