import { access, constants, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { failedWith } from '../../api/index.js'
import { parseCommandLine } from '../command.js'
import type { CommandContext } from '../command.js'
import { CommandFailure, EXIT } from '../exit-codes.js'
import { initialConfig } from '../initial-config.js'
import type { MachineFacts } from '../initial-config.js'
import { shortPath } from '../problem-text.js'
import { say } from '../terminal.js'

const NAME = 'mailwright.config.yaml'

/** `mailwright init`: writes a commented configuration for this machine. */
export async function run({ args, terminal }: CommandContext): Promise<number> {
  const { values, positionals } = parseCommandLine(args, { force: { type: 'boolean' } }, { least: 0, most: 1 })
  const file = resolve(positionals[0] ?? NAME)
  const text = initialConfig(await factsOf())
  try {
    await writeFile(file, text, { flag: values.force === true ? 'w' : 'wx', mode: 0o644 })
  } catch (error) {
    if (failedWith(error, 'EEXIST')) throw new CommandFailure(EXIT.failed, `${shortPath(file)} is there already; --force replaces it`, { cause: error })
    throw error
  }
  say(terminal.out, `wrote ${shortPath(file)}`)
  say(terminal.out, `next: mailwright check --config ${shortPath(file)}`)
  say(terminal.out, `      mailwright user add NAME --config ${shortPath(file)}`)
  say(terminal.out, `      mailwright serve --config ${shortPath(file)}`)
  return EXIT.ok
}

async function factsOf(): Promise<MachineFacts> {
  const name = hostname()
  const folder = join('/etc/letsencrypt/live', name)
  const certificate = join(folder, 'fullchain.pem')
  const key = join(folder, 'privkey.pem')
  const readable = await Promise.all([certificate, key].map((f) => access(f, constants.R_OK).then(() => true, () => false)))
  return { hostName: name, root: process.getuid?.() === 0, certificate: readable.every(Boolean) ? { certificate, key } : undefined }
}
