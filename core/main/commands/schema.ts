import { builtinPlugins } from '../../../plugins/builtin.js'
import { jsonSchema } from '../../config/schema/json-schema.js'
import { catalogue } from '../../kernel/lifecycle/catalogue.js'
import { alwaysOn, knownPoints } from '../always.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { say } from '../terminal.js'

/** `mailwright schema`: the JSON Schema of the configuration, for editors. */
export async function run({ args, terminal }: CommandContext): Promise<number> {
  parseCommandLine(args, {})
  const choices = await catalogue({ builtins: builtinPlugins, always: alwaysOn, points: knownPoints })
  say(terminal.out, JSON.stringify(jsonSchema(choices), null, 2))
  return EXIT.ok
}
