import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'
import { freePort, listens } from './ports.js'

/** The built command. */
export const CLI = fileURLToPath(new URL('../../dist/core/main/cli.js', import.meta.url))

/** A server in a process of its own, as it would be started by hand, with accounts alice and bob (password `secret`). */
export interface RunningServer {
  /** Folder with the configuration, the accounts and everybody's home. */
  readonly folder: string
  readonly ports: { readonly imap: number; readonly imaps: number; readonly pop3: number; readonly pop3s: number; readonly extra: number }
  /** Its configuration file. */
  readonly config: string
  readonly process: ChildProcess
  home(user: string): string
  inbox(user: string): string
  /** What it logged so far. */
  log(): string
  /** PEM file of the self-signed certificate. */
  readonly certificate: string
  /** Ends it as an operator would and waits. */
  stop(): Promise<void>
  /** kill -9, and waits. */
  kill(): Promise<void>
  /** Starts it again on the same mail and ports after `stop` or `kill`. */
  again(): Promise<void>
  /** Stops it and removes its folder. */
  remove(): Promise<void>
}
/** What a test wants to have different. */
export interface ServerOptions {
  /** Instead of files below the home, with INBOX among them: one line of YAML. */
  readonly namespaces?: string
  /** YAML lines of `hosts.default`, without indentation. */
  readonly host?: string
  /** Who knows the accounts, instead of the virtual ones: YAML of `auth.users`. */
  readonly users?: string
  /** YAML lines of the file itself, beside `hosts`. */
  readonly top?: string
  /** YAML lines of `auth` instead of its schemes and passwords, without indentation. */
  readonly auth?: string
  /** A further line of `listeners`, for the port `ports.extra`. */
  readonly listeners?: (port: number) => string
  /** Further settings of `tls`, behind `selfSigned`. */
  readonly tls?: string
  /** The program, instead of what was built here. */
  readonly cli?: string
  /** When passwords are taken in clear; `always` without it. */
  readonly plaintext?: 'encrypted-only' | 'always' | 'never'
  /** How long every failed login waits; 10 ms without it. */
  readonly failureDelay?: string
  /** How the program is started, instead of directly: the words before it. */
  readonly within?: (folder: string) => readonly string[]
  /** How long sessions may take to end when it stops. */
  readonly drainTimeout?: string
  /** Runs when the folder is there, before the server starts. */
  readonly prepare?: (folder: string) => Promise<void>
  /** Files to be there before it starts, by path below the folder. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
}

const indented = (yaml: string): string =>
  yaml
    .trim()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')

/** Starts the built server (`npm run build`) on loopback; plain, STARTTLS and implicit TLS. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: run "npm run build" first`)
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-'))
  const ports = { imap: await freePort(), imaps: await freePort(), pop3: await freePort(), pop3s: await freePort(), extra: await freePort() }
  const home = (user: string): string => join(folder, 'mail', user)
  for (const user of ['alice', 'bob']) await mkdir(home(user), { recursive: true })
  await writeFile(join(folder, 'users.txt'), 'alice:{PLAIN}secret\nbob:{PLAIN}secret\n', { mode: 0o600 })
  await writeFile(
    join(folder, 'mailwright.config.yaml'),
    `version: 1
server: { name: localhost, runDirectory: run${options.drainTimeout === undefined ? '' : `, drainTimeout: ${options.drainTimeout}`} }
${options.top ?? ''}
log: [ { use: stderr, level: info } ]
listeners:
  imap: { protocol: imap4, address: 127.0.0.1, port: ${ports.imap}, tls: starttls }
  imaps: { protocol: imap4, address: 127.0.0.1, port: ${ports.imaps}, tls: implicit }
  pop3: { protocol: pop3, address: 127.0.0.1, port: ${ports.pop3}, tls: starttls }
  pop3s: { protocol: pop3, address: 127.0.0.1, port: ${ports.pop3s}, tls: implicit }
  ${options.listeners?.(ports.extra) ?? ''}
hosts:
  default:
    tls: { selfSigned: certificates${options.tls ?? ''} }
    auth:
      plaintext: ${options.plaintext ?? 'always'}
      failureDelay: ${options.failureDelay ?? '10ms'}
${indented(options.auth ?? 'schemes: [ { use: plain, allow: true }, scrypt ]\npasswords: [ { use: file, path: users.txt } ]').replaceAll(/^/gm, '  ')}
      users: ${options.users ?? `[ { use: virtual, home: ${JSON.stringify(join(folder, 'mail', '{user}'))} } ]`}
    namespaces: ${options.namespaces ?? "[ { use: mailboxfile, inboxPath: '{home}/INBOX' } ]"}
${options.host === undefined ? '' : indented(options.host)}
`,
  )
  // As if it had made it before. One that may run as somebody else, or on a machine of another name, makes its own.
  if (options.within === undefined) {
    await mkdir(join(folder, 'certificates'), { mode: 0o700 })
    await writeFile(join(folder, 'certificates', 'self-signed.pem'), inject('selfSigned'), { mode: 0o600 })
  }
  for (const [path, content] of Object.entries(options.files ?? {})) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), content, { mode: 0o600 })
  }
  await options.prepare?.(folder)
  let log = ''
  let child: ChildProcess
  const begin = async (): Promise<void> => {
    const before = log.length
    const [program = process.execPath, ...words] = [...(options.within?.(folder) ?? []), process.execPath, options.cli ?? CLI, 'serve', '--config', join(folder, 'mailwright.config.yaml')]
    child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (log += chunk.toString()))
    // As long as the machine needs: the test's own time ends it.
    // What else it listens on is open when it says so.
    while (!(await listens(ports.imaps)) || !(await listens(ports.imap)) || !log.includes(' listening ', before)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server did not start:\n${log}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  await begin()
  return {
    folder,
    config: join(folder, 'mailwright.config.yaml'),
    ports,
    get process() {
      return child
    },
    home,
    inbox: (user) => join(home(user), 'INBOX'),
    log: () => log,
    certificate: join(folder, 'certificates', 'self-signed.pem'),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    again: begin,
    async remove() {
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

