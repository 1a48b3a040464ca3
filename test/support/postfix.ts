import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { has, run } from './programs.js'

/** Services that a Postfix without a network of its own needs to take mail and to hand it over. */
const SERVICES = [
  'postlog unix-dgram n - n - 1 postlogd', 'pickup unix n - n 1 1 pickup', 'cleanup unix n - n - 0 cleanup', 'qmgr unix n - n 1 1 qmgr', 'rewrite unix - - n - - trivial-rewrite',
  'bounce unix - - n - 0 bounce', 'defer unix - - n - 0 bounce', 'trace unix - - n - 0 bounce', 'error unix - - n - - error', 'retry unix - - n - - error', 'proxymap unix - - n - - proxymap',
  'showq unix n - n - - showq', 'lmtp unix - - n - - lmtp',
]
const PATIENCE_MS = 60_000

/** Whether one can be run here: its queue belongs to root, and its programs give up root's rights. */
export const hasPostfix = has('postfix') && process.getuid?.() === 0

/** A Postfix with a queue and a configuration of its own, that takes mail on this machine and hands it over as it is told. */
export class Postfix implements AsyncDisposable {
  readonly #folder: string
  private constructor(folder: string) {
    this.#folder = folder
  }
  /** `transport` of mail for example.org: `mailwright`, a service of the line `service`, or `lmtp:...`. `more`: further settings. Mail that bounces is dropped. */
  static async start(transport: string, service: readonly string[] = [], more: Readonly<Record<string, string>> = {}): Promise<Postfix> {
    const folder = await mkdtemp(join(tmpdir(), 'mailwright-postfix-'))
    await chmod(folder, 0o755)
    for (const name of ['etc', 'queue', 'data']) await mkdir(join(folder, name))
    const uid = Number(execFileSync('id', ['-u', 'postfix'], { encoding: 'utf8' }))
    await chown(join(folder, 'data'), uid, -1)
    const settings = {
      compatibility_level: '3.6', queue_directory: `${folder}/queue`, data_directory: `${folder}/data`, myhostname: 'mail.example.org', mydestination: 'example.org', local_transport: transport,
      local_recipient_maps: '', alias_maps: '', alias_database: '', inet_interfaces: '127.0.0.1', inet_protocols: 'ipv4', relay_transport: 'discard', default_transport: 'error:no other mail here', recipient_delimiter: '+',
      mailwright_destination_recipient_limit: '1', maillog_file: `${folder}/log`, maillog_file_prefixes: folder, minimal_backoff_time: '2s', maximal_backoff_time: '2s', queue_run_delay: '2s',
      ...more,
    }
    await writeFile(join(folder, 'etc/main.cf'), Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`).join(''))
    await writeFile(join(folder, 'etc/master.cf'), [...SERVICES, ...service].map((line) => `${line}\n`).join(''))
    const postfix = new Postfix(folder)
    const started = await run('postfix', ['-c', join(folder, 'etc'), 'start'], { limitMs: PATIENCE_MS })
    if (started.code !== 0) throw new Error(`Postfix does not start: ${started.stderr}${await postfix.log()}`)
    return postfix
  }
  async send(message: string, from: string, ...to: readonly string[]): Promise<void> {
    const sent = await run('sendmail', ['-C', join(this.#folder, 'etc'), '-i', '-f', from, ...to], { input: message, limitMs: PATIENCE_MS })
    if (sent.code !== 0) throw new Error(`Postfix does not take the message: ${sent.stderr}`)
  }
  async log(): Promise<string> {
    return readFile(join(this.#folder, 'log'), 'utf8').catch(() => '')
  }
  /** Waits until its log says so. @throws with the log. */
  async logs(what: RegExp): Promise<void> {
    for (const until = Date.now() + PATIENCE_MS; !what.test(await this.log()); await pause(50)) {
      if (Date.now() > until) throw new Error(`${what} is not in the log of Postfix:\n${await this.log()}`)
    }
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await run('postfix', ['-c', join(this.#folder, 'etc'), 'stop'], { limitMs: PATIENCE_MS })
    await rm(this.#folder, { recursive: true, force: true })
  }
}
