import { wire } from '../../kernel/lifecycle/wire.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { locateConfig } from '../config-file.js'
import { EXIT } from '../exit-codes.js'
import { checkListeners } from '../listener-protocols.js'
import { checkMachine } from '../machine-check.js'
import { countText, problemText, shortPath } from '../problem-text.js'
import { kernelOptions } from '../kernel-options.js'
import { StartFailure } from '../../api/index.js'
import type { Problem } from '../../api/index.js'
import { LogHub } from '../../log/log-hub.js'
import { paint, say } from '../terminal.js'

/** `mailwright check`: every problem of the configuration and of the machine, without starting anything. */
export async function run({ args, terminal, env }: CommandContext): Promise<number> {
  const { values } = parseCommandLine(args, { config: { type: 'string', short: 'c' } })
  const problems: Problem[] = []
  let file: string | undefined
  try {
    const { source } = await locateConfig(values.config, env)
    file = source.file
    const wired = await wire({ ...kernelOptions(source, new LogHub({ write: () => undefined })), check: checkListeners('warning') })
    problems.push(...wired.problems, ...(await checkMachine(wired, env)))
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error
    problems.push(...error.problems)
    file ??= values.config
  }
  if (problems.length > 0) say(terminal.out, problemText(problems, terminal))
  const failed = problems.some((p) => p.severity === 'error')
  const where = file === undefined ? 'the configuration without a file' : shortPath(file)
  say(terminal.out, `${paint(terminal, failed ? 'red' : 'green', failed ? 'not usable' : 'usable')}: ${where}, ${countText(problems)}`)
  return failed ? EXIT.configuration : EXIT.ok
}
