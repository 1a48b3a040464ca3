import { commands } from './commands.js'
import { table } from './terminal.js'

/** The list of commands. */
export function mainHelp(): string {
  return `usage: mailwright COMMAND [options]

${table(commands.map((c) => [`  ${c.name}`, c.summary]))}

  mailwright COMMAND --help tells more. mailwright --version.`
}
