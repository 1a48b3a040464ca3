import { StartFailure } from '../../api/index.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { locateConfig } from '../config-file.js'
import { askServer } from '../control.js'
import { knownPoints } from '../always.js'
import { EXIT } from '../exit-codes.js'
import { problemText } from '../problem-text.js'
import { runDirectory } from '../run-directory.js'
import { say } from '../terminal.js'

/** `mailwright reload`: the running server takes up its configuration again. */
export async function run({ args, terminal, env }: CommandContext): Promise<number> {
  const { values } = parseCommandLine(args, { config: { type: 'string', short: 'c' } })
  let folder: string
  try {
    const { source } = await locateConfig(values.config, env)
    folder = runDirectory(source.plan(knownPoints), env)
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    say(terminal.err, problemText(error.problems, { colours: false }))
    return EXIT.configuration
  }
  try {
    const answer = await askServer(folder, 'reload')
    say(answer.ok ? terminal.out : terminal.err, answer.text)
    return answer.ok ? EXIT.ok : EXIT.configuration
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const why =
      code === 'ENOENT' || code === 'ECONNREFUSED'
        ? `no server runs with this configuration: nothing answers in ${folder}\nname the configuration of the server with --config`
        : `no server answers in ${folder}: ${code === 'EACCES' ? 'only the account that runs it, and root, may ask it' : error instanceof Error ? error.message : String(error)}`
    say(terminal.err, why)
    return EXIT.unavailable
  }
}
