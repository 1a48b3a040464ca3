import { commands } from './commands.js'
import { detachStderr } from './detach-stderr.js'
import { CommandFailure, EXIT } from './exit-codes.js'
import { mainHelp } from './help.js'
import { exitWhenUnread, processTerminal, say } from './terminal.js'
import type { Terminal } from './terminal.js'
import { versionText } from './version.js'

async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = args
  if (first === undefined) {
    say(terminal.err, mainHelp())
    return EXIT.usage
  }
  if (first === '--help' || first === '-h' || first === 'help') {
    const named = commands.find((c) => c.name === rest[0])
    say(terminal.out, named?.help ?? mainHelp())
    return EXIT.ok
  }
  if (first === '--version' || first === '-V') {
    say(terminal.out, await versionText())
    return EXIT.ok
  }
  const command = commands.find((c) => c.name === first)
  if (command === undefined) throw new CommandFailure(EXIT.usage, `unknown command "${first}"; "mailwright --help" lists them`)
  if (rest.includes('--help') || rest.includes('-h')) {
    say(terminal.out, command.help)
    return EXIT.ok
  }
  const { run } = await command.load()
  return run({ args: rest, terminal, env: process.env })
}

/** Does what the command line says; the exit code is the process's. @throws what is no failure that a command speaks of. */
export async function runCommandLine(): Promise<void> {
  detachStderr()
  const terminal = processTerminal()
  exitWhenUnread()
  try {
    process.exitCode = await main(process.argv.slice(2), terminal)
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error
    say(terminal.err, `mailwright: ${error.message}`)
    process.exitCode = error.exitCode
  }
}
