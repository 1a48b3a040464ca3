import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a test wants its server to have. */
export interface TestServerOptions {
  /** Accounts and their passwords; default: alice and bob with the password `secret`. */
  readonly users?: Readonly<Record<string, string>>
  /** Sections of `hosts.default` in place of the ones here; default: mail in memory. */
  readonly host?: Readonly<Record<string, unknown>>
  /** Packages and files of plugins, as in `plugins:`; relative ones and packages are looked for from `from`. */
  readonly plugins?: readonly string[]
  /** Top-level sections besides. */
  readonly more?: Readonly<Record<string, unknown>>
  /** Folder from which plugins are resolved; default: the server's own folder. */
  readonly from?: string
}

/** A whole server in this process, on a free port of the loopback, with a folder of its own. */
export interface TestServer extends AsyncDisposable {
  readonly port: number
  /** Its configuration's folder: homes of file drivers are in `mail/` below it. Removed with the server. */
  readonly folder: string
}

/**
 * Starts the server that `createServer` makes, with passwords taken in clear and refused without delay: for tests only.
 *
 * @throws StartFailure with everything that is wrong with the configuration.
 */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { createServer } = await import('../main/index.js')
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-test-'))
  try {
    const users = Object.entries(options.users ?? { alice: 'secret', bob: 'secret' })
    await writeFile(join(folder, 'users'), users.map(([user, password]) => `${user}:{PLAIN}${password}\n`).join(''), { mode: 0o600 })
    const server = createServer(configOf(folder, options), { folder: options.from ?? folder })
    await server.start()
    const port = server.addresses[0]?.port ?? 0
    return {
      port,
      folder,
      async [Symbol.asyncDispose]() {
        await server.stop()
        await rm(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

function configOf(folder: string, { host, plugins, more }: TestServerOptions): object {
  return {
    version: 1,
    plugins: plugins ?? [],
    log: [{ use: 'stderr', level: 'error' }],
    server: { runDirectory: join(folder, 'run') },
    listeners: { imap: { protocol: 'imap4', address: '127.0.0.1', port: 0 } },
    ...more,
    hosts: {
      default: {
        drivers: { stores: ['memory'] },
        namespaces: [{ use: 'mailboxfile', store: 'memory' }],
        auth: {
          plaintext: 'always',
          failureDelay: '0',
          passwords: [{ use: 'file', path: join(folder, 'users') }],
          schemes: [{ use: 'plain', allow: true }],
          users: [{ use: 'virtual', data: join(folder, 'mail') }],
        },
        ...host,
      },
    },
  }
}
