import { StartFailure } from '../../api/index.js'
import { knownPoints } from '../always.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { locateConfig } from '../config-file.js'
import { askServer } from '../control.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { problemText } from '../problem-text.js'
import { runDirectory } from '../run-directory.js'
import { say } from '../terminal.js'

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
