import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import { CommandFailure, EXIT } from './exit-codes.js'
import type { Terminal } from './terminal.js'

/** What a command gets. */
export interface CommandContext {
  readonly args: readonly string[]
  readonly terminal: Terminal
  readonly env: NodeJS.ProcessEnv
}

/** A command of `mailwright`; its code is imported only when it is asked for. */
export interface Command {
  readonly name: string
  /** One line for the list. */
  readonly summary: string
  readonly help: string
  readonly load: () => Promise<{ readonly run: (context: CommandContext) => Promise<number> }>
}

/**
 * Options and words of a command line.
 * @throws CommandFailure with the exit code of a usage error.
 */
export function parseCommandLine<const O extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: O,
  words: { readonly least: number; readonly most: number } = { least: 0, most: 0 },
): ReturnType<typeof parseArgs<{ options: O; allowPositionals: true; args: string[] }>> {
  const parsed = (() => {
    try {
      return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
    } catch (error) {
      // Node adds advice about "--" that helps nobody here.
      const text = error instanceof Error ? error.message.replace(/\. To specify a positional argument.*$/s, '') : String(error)
      throw new CommandFailure(EXIT.usage, `${text}; --help lists the options`)
    }
  })()
  const count = parsed.positionals.length
  if (count > words.most) throw new CommandFailure(EXIT.usage, `unexpected argument "${parsed.positionals[words.most] ?? ''}"`)
  if (count < words.least) throw new CommandFailure(EXIT.usage, 'an argument is missing; --help shows which')
  return parsed
}
