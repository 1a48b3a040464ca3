import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run, type Ran } from '../support/programs.js'
import { CLI } from '../support/running-server.js'
import { subjectsIn } from '../support/sample-mailbox.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const LISTING = fileURLToPath(new URL('../support/loaded-modules.mjs', import.meta.url))

/** Modules that only sessions and their logins need, by the beginning of their paths. A transport starts a delivery for each message, and most of its time goes into loading. */
const OF_SESSIONS = [
  'dist/core/imapd/base.js',
  'dist/core/imapd/commands/',
  'dist/core/imapd/imap4.js',
  'dist/core/imapd/items/',
  'dist/core/main/bindings.js',
  'dist/core/main/connections.js',
  'dist/core/main/host-tls.js',
  'dist/core/main/server.js',
  'dist/core/net/',
  'dist/core/pop3d/base.js',
  'dist/core/pop3d/commands/',
  'dist/core/pop3d/pop3.js',
  'dist/plugins/auth/schemes/',
  'dist/plugins/imap/',
  'dist/plugins/pop3/',
  'dist/plugins/protocols/',
  'node_modules/node-forge/',
]

describe('a delivery has no need of a server', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-alone-'))
    await mkdir(join(folder, 'mail/alice'), { recursive: true })
    await writeFile(join(folder, 'users.txt'), 'alice:{PLAIN}secret\n', { mode: 0o600 })
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  async function deliver(host: string, env: Readonly<Record<string, string>> = {}, node: readonly string[] = []): Promise<Ran> {
    const config = join(folder, 'mailwright.config.yaml')
    await writeFile(
      config,
      `version: 1
listeners: { imap: { protocol: imap4, address: 127.0.0.1, port: 1, tls: implicit } }
hosts:
  default:
    auth: { passwords: [ { use: file, path: users.txt } ], users: [ { use: virtual, data: mail } ] }
    namespaces: [ { use: mailboxfile, inboxPath: '{home}/INBOX' } ]
${host}`,
    )
    return run(process.execPath, [...node, CLI, 'deliver', 'alice', '--config', config], { input: 'Subject: x\n\nText.\n', env })
  }

  test('it loads no module that only sessions and their logins need', async () => {
    const list = join(folder, 'loaded')
    const ran = await deliver('', { LOADED_MODULES: list }, ['--import', LISTING])
    expect(ran.code, ran.stderr).toBe(0)
    const loaded = (await readFile(list, 'utf8')).split('\n').map((url) => (url.startsWith('file:') ? fileURLToPath(url) : url).replace(ROOT, ''))
    expect(loaded).toContain('dist/plugins/formats/unix/index.js')
    expect(loaded.filter((path) => OF_SESSIONS.some((start) => path.startsWith(start)))).toEqual([])
    // Packages that are CommonJS are required, which is not listed: importing one of them costs as much as seventy modules.
    expect(loaded.filter((path) => path.startsWith('node_modules/') && !/^node_modules\/(?:zod|koffi)\//.test(path))).toEqual([])
  })

  test('what the configuration names for sessions is checked all the same', async () => {
    const ran = await deliver('    imap: { extensions: [ idle, nonsense ] }\n')
    expect(ran).toMatchObject({ code: 75 })
    expect(ran.stderr).toContain('hosts.default.imap.extensions[1]')
  })

  test('a key that it may not read keeps no mail waiting', async () => {
    const ran = await deliver('    tls: { certificate: missing.pem, key: { file: missing.key } }\n')
    expect(ran.code, ran.stderr).toBe(0)
    expect(subjectsIn(await readFile(join(folder, 'mail/alice/INBOX'), 'latin1'))).toEqual(['x'])
  })
})
