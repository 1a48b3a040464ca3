import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { run } from './programs.js'

const CLI = fileURLToPath(new URL('../../dist/core/main/cli.js', import.meta.url))
/** The account `nobody`. */
export const NOBODY = 65_534

/** Where it has its mail: `spool/nobody` below a folder, and `home` beside it for what the server keeps. */
export interface NobodyMail {
  readonly folder: string
  readonly spool: string
  /** YAML of `files`. */
  readonly files?: string
  /** YAML of a namespace resolver before that of the file names. */
  readonly before?: string
}

/** One IMAP session of the account that runs the server, as under ssh. Only root can be somebody else. @returns what the server says. */
export async function sessionOfNobody({ folder, spool, files = '{}', before }: NobodyMail, commands: string): Promise<string> {
  const config = join(folder, 'mailwright.config.yaml')
  await writeFile(
    config,
    `version: 1
log: [ { use: stderr, level: warn } ]
hosts:
  default:
    files: ${files}
    mailbox: { stateDirectory: '${join(folder, 'home', '{user}')}' }
    auth: { passwords: [], users: [ system ] }
    namespaces: [ ${before === undefined ? '' : `${before}, `}{ use: mailboxfile, spool: ${spool}, inboxPath: '{spool}/{user}' } ]
`,
  )
  const args = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath, CLI, 'imapd', '--config', config]
  const got = await run('setpriv', args, { cwd: folder, env: { HOME: join(folder, 'home'), PATH: process.env['PATH'] ?? '' }, input: commands })
  expect(got.code, got.stderr).toBe(0)
  return got.stdout
}
