import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { NO_CAPABILITIES } from '../support/processes.js'
import { run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'

/** Accounts of the machine that are there for this test alone (see .ci/run); their password is `secret`. */
const ACCOUNTS = ['mwalice', 'mwbob'] as const
type Account = (typeof ACCOUNTS)[number]
interface Entry {
  readonly uid: number
  readonly gid: number
  readonly home: string
}
function entryOf(account: Account): Entry | undefined {
  try {
    const [, , uid, gid, , home = ''] = execFileSync('getent', ['passwd', account]).toString().split(':')
    return { uid: Number(uid), gid: Number(gid), home }
  } catch {
    return undefined
  }
}
const [alice, bob] = ACCOUNTS.map(entryOf)
const WATCH = fileURLToPath(new URL('../support/file-opens.py', import.meta.url))
const MESSAGE = 'From: carol@example.org\r\nSubject: hello\r\n\r\nA line.\r\n'
const SECRET = 'From bob@example.org Thu Jan  1 00:00:00 2026\nFrom: bob@example.org\nSubject: for bob alone\n\nNobody else reads this.\n\n'

/** Who opened what. */
interface Opening {
  readonly path: string
  readonly uid: readonly number[]
  readonly gid: readonly number[]
  readonly groups: readonly number[]
  readonly process: number
  readonly capabilities: readonly string[]
}
/** The openings in folders while it runs. */
class Watch {
  readonly openings: Opening[] = []
  readonly #child: ChildProcess
  private constructor(child: ChildProcess) {
    this.#child = child
  }
  static async over(folders: readonly string[]): Promise<Watch> {
    const child = spawn('python3', [WATCH, ...folders], { stdio: ['ignore', 'pipe', 'inherit'] })
    const watch = new Watch(child)
    const lines = createInterface({ input: child.stdout })
    await once(lines, 'line')
    lines.on('line', (line) => watch.openings.push(JSON.parse(line) as Opening))
    return watch
  }
  /** Ends it; what was opened before is all there. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await once(this.#child, 'close')
  }
}

describe.skipIf(process.getuid?.() !== 0 || alice === undefined || bob === undefined)('accounts of the machine, as root (needs mwalice and mwbob)', () => {
  let server: RunningServer
  let spool = ''
  const of = (account: Account): Entry => (account === 'mwalice' ? alice : bob) ?? { uid: -1, gid: -1, home: '' }
  const login = (account: Account): Promise<RawClient> => RawClient.login(server.ports.imap, account)
  const clean = (): Promise<unknown> => Promise.all(ACCOUNTS.flatMap((account) => [rm(join(spool, account), { force: true }), ...['saved', 'private', 'link', '.mailboxlist', 'folder'].map((name) => rm(join(of(account).home, name), { recursive: true, force: true }))]))

  const options = (folder: string): Parameters<typeof startServer>[0] => ({
    users: '[ system ]',
    auth: 'passwords: [ system ]',
    namespaces: `[ { use: mailboxfile, spool: ${folder}, inboxPath: '{spool}/{user}' } ]`,
    prepare: (at) => chmod(at, 0o711),
  })
  beforeAll(async () => {
    spool = await mkdtemp(join(tmpdir(), 'mailwright-spool-'))
    await chmod(spool, 0o1777)
    await clean()
    server = await startServer(options(spool))
  })
  beforeEach(clean)
  afterAll(async () => {
    await server?.remove()
    await clean()
    await rm(spool, { recursive: true, force: true })
  })
  /** A mailbox of bob's that nobody else may read. */
  async function bobsSecret(): Promise<string> {
    const file = join(of('mwbob').home, 'private')
    await writeFile(file, SECRET, { mode: 0o600 })
    await chown(file, of('mwbob').uid, of('mwbob').gid)
    return file
  }
  /** Openings by others than their owner's own processes, or with more rights than those of the account. */
  function excesses(openings: readonly Opening[]): readonly Opening[] {
    return openings.filter(({ path, uid, gid, groups, capabilities }) => {
      const owner = ACCOUNTS.map(of).find(({ home }, at) => path === home || path.startsWith(`${home}/`) || path.startsWith(join(spool, ACCOUNTS[at] ?? '')))
      // The spool itself belongs to everybody, but to no process of root's.
      const own = owner === undefined ? uid.every((id) => ACCOUNTS.some((account) => of(account).uid === id)) : uid.every((id) => id === owner.uid) && gid.every((id) => id === owner.gid) && groups.every((id) => id === owner.gid)
      return !own || JSON.stringify(capabilities) !== JSON.stringify(NO_CAPABILITIES)
    })
  }
  async function work(client: RawClient): Promise<void> {
    for (const [command, literal] of [
      ['APPEND INBOX', MESSAGE], ['SELECT INBOX'], ['STORE 1 +FLAGS (\\Flagged)'], ['CREATE saved'], ['COPY 1 saved'], ['SEARCH BODY line'], ['LIST "" *'],
      ['STATUS saved (MESSAGES)'], ['SUBSCRIBE saved'], ['LSUB "" *'], ['STORE 1 +FLAGS (\\Deleted)'], ['EXPUNGE'], ['SELECT saved'], ['FETCH 1 BODY[]'], ['UNSELECT'], ['RENAME saved folder'], ['DELETE folder'],
    ] as const) {
      const reply = literal === undefined ? await client.do(command) : await client.append(command.slice('APPEND '.length), literal)
      if (reply.status !== 'OK') throw new Error(`${command}: ${reply.text}`)
    }
  }

  test('auto is per-user: every file and folder of a user is opened by a process with that user\'s rights alone, as the kernel sees it (FAQ 5.2)', async () => {
    const watch = await Watch.over([spool, ...ACCOUNTS.map((account) => of(account).home)])
    const clients = await Promise.all(ACCOUNTS.map(login))
    await Promise.all(clients.map(work))
    const pop = await run('curl', ['-sS', '-u', 'mwbob:secret', `pop3://127.0.0.1:${server.ports.pop3}/`])
    expect(pop.code).toBe(0)
    for (const client of clients) await client.logout()
    await watch.stop()
    // It did see the work: the test would be worth nothing if it had not.
    for (const account of ACCOUNTS) {
      const mine = watch.openings.filter(({ uid }) => uid[0] === of(account).uid).map(({ path }) => path)
      expect(mine).toEqual(expect.arrayContaining([join(spool, account), join(of(account).home, 'saved')]))
    }
    expect(excesses(watch.openings)).toEqual([])
  })

  test('the watch sees a process with more rights', async () => {
    const watch = await Watch.over([spool])
    await writeFile(join(spool, 'mwalice'), '')
    await readFile(join(spool, 'mwalice'))
    await watch.stop()
    expect(excesses(watch.openings).map(({ path, process: pid }) => [path, pid])).toContainEqual([join(spool, 'mwalice'), process.pid])
  })

  test.each([
    ['~mwbob/private'], ['/HOME/private'], ['../mwbob/private'], ['/SPOOL/mwbob'], ['#driver.unix/HOME/private'], ['#mh/../../mwbob/private'], ['link/private'], ['link'],
    ['/proc/self/root/HOME/private'], ['/proc/1/environ'], ['/etc/shadow'], ['saved/../../mwbob/private'], ['#news.x'], ['{8}\r\n~mwbob/x'],
  ])('no command reads, writes or removes what is bob\'s by the name %s', async (template) => {
    const file = await bobsSecret()
    const inbox = await login('mwbob')
    await inbox.append('INBOX', MESSAGE)
    await inbox.logout()
    const before = [await readFile(file, 'latin1'), await readFile(join(spool, 'mwbob'), 'latin1'), await readFile('/etc/shadow', 'latin1')]
    const entry = of('mwalice')
    await symlink(template === 'link' ? file : of('mwbob').home, join(entry.home, 'link'))
    const client = await login('mwalice')
    await client.append('INBOX', MESSAGE)
    await client.do('SELECT INBOX')
    const name = template.startsWith('{') ? template : `"${template.replace('/HOME', of('mwbob').home).replace('/SPOOL', spool)}"`
    const replies = []
    for (const command of ['EXAMINE', 'SELECT', 'COPY 1', 'STATUS', 'DELETE', 'RENAME', 'RENAME saved']) {
      const reply = await client.do(`${command} ${name}${command === 'STATUS' ? ' (MESSAGES)' : command === 'RENAME' ? ' taken' : ''}`)
      replies.push({ command, status: reply.status })
      expect(JSON.stringify(reply)).not.toMatch(/bob alone|root:/)
    }
    if (!template.startsWith('{')) replies.push({ command: 'APPEND', status: (await client.append(name, MESSAGE)).status })
    // DELETE and RENAME of a link of one's own are one's own affair.
    expect(replies.filter(({ command, status }) => status === 'OK' && !(template === 'link' && /^(?:DELETE|RENAME)$/.test(command)))).toEqual([])
    expect([await readFile(file, 'latin1'), await readFile(join(spool, 'mwbob'), 'latin1'), await readFile('/etc/shadow', 'latin1')]).toEqual(before)
    client.drop()
  })

  test('root and who is not there are told the same as a wrong password', async () => {
    const client = await RawClient.open(server.ports.imap)
    const answers = []
    for (const line of ['LOGIN root secret', 'LOGIN nobody-here secret', 'LOGIN mwalice wrong']) {
      const { status, text } = await client.do(line)
      answers.push(`${status} ${text}`)
    }
    expect(new Set(answers)).toEqual(new Set(['NO [AUTHENTICATIONFAILED] LOGIN failed']))
    client.drop()
  })

  test('one connection of inetd: what was root has only the user\'s rights after the login', async () => {
    const listener = createServer({ pauseOnConnect: true })
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const address = listener.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    let child: ChildProcess | undefined
    listener.once('connection', (socket) => {
      child = spawn(process.execPath, [CLI, 'imapd', '--config', server.config, '--tls', 'none'], { stdio: [socket, socket, 'inherit'] })
      // The child has a descriptor of its own.
      socket.destroy()
      listener.close()
    })
    const watch = await Watch.over([spool, of('mwalice').home])
    const client = await RawClient.login(port, 'mwalice')
    await work(client)
    const status = await readFile(`/proc/${child?.pid ?? 0}/status`, 'latin1')
    const { uid, gid } = of('mwalice')
    expect([/^Uid:\s+(.*)$/m.exec(status)?.[1], /^Gid:\s+(.*)$/m.exec(status)?.[1], /^CapEff:\s+(.*)$/m.exec(status)?.[1]]).toEqual([Array.from({ length: 4 }, () => uid).join('\t'), Array.from({ length: 4 }, () => gid).join('\t'), '0000000000000000'])
    await client.logout()
    await watch.stop()
    expect(watch.openings.length).toBeGreaterThan(0)
    expect(excesses(watch.openings)).toEqual([])
  })

  test.each(['single', 'workers'])('processes.model: %s is refused, by check, login-test and at the start, with the reason', async (model) => {
    const folder = await mkdtemp(join(tmpdir(), 'mailwright-model-'))
    try {
      const config = join(folder, 'mailwright.config.yaml')
      await writeFile(config, (await readFile(server.config, 'utf8')).replace('server: {', `processes: { model: ${model}, mailUser: mail }\nserver: {`).replaceAll(/port: \d+/g, 'port: 0'))
      await mkdir(join(folder, 'run'))
      for (const command of ['check', 'serve', 'login-test mwalice']) {
        const ran = await run(process.execPath, [CLI, ...command.split(' '), '--config', config])
        expect([command, ran.code, ran.stdout + ran.stderr]).toEqual([command, 78, expect.stringMatching(/PRC_NEEDS_PER_USER[\s\S]*with all the rights of root/)])
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
