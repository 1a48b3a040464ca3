#!/usr/bin/env node
// This server, built, as a peer of the benchmark: `node test/bench/ours.mjs start|stop|restart|pids|wipe`.
// Mail lives in mailboxes of the format BENCH_FORMAT (unix; maildir: the package of plugins/contrib; mbox: INBOX, other mailboxes unix; phile: files that are none), in a folder of its own under var/bench, users testuser1..20 with password testpass, loopback only.
// BENCH_MODEL=workers or per-user: the process model, as root with the account "mail" as the owner of the mail.
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

const top = fileURLToPath(new URL('../..', import.meta.url))
const home = process.env.BENCH_HOME ?? join(top, 'var', 'bench')
const port = Number(process.env.IMAP_PORT ?? 14399)
const pop3Port = Number(process.env.POP3_PORT ?? 11099)
/** Of all mailboxes. */
const format = process.env.BENCH_FORMAT ?? 'unix'
const pidFile = join(home, 'server.pid')
const configFile = join(home, 'bench.yaml')

const model = process.env.BENCH_MODEL ?? 'single'
/** In the other models root gives the mail to an account. */
const owner = model === 'single' || process.getuid?.() !== 0 ? undefined : 'mail'

/** Formats that are more than their name: what is in `drivers.use`, and in which format mailboxes are made. */
const special = {
  mh: { use: `{ use: mh, path: ${JSON.stringify(join(home, 'mail'))} }` },
  mbox: { use: 'mbox, unix', made: 'unix' },
  phile: { use: 'unix, phile', made: 'unix' },
}
const { use = format, made = format } = special[format] ?? {}
/** INBOX in `~/mbox` gets its mail from where the system delivers it, outside of the homes. */
const inboxPath = format === 'mbox' ? join(home, 'spool', '{user}') : '{home}/INBOX'
/** Where mail is kept, as lines of the host. Maildir is a package of its own, installed beside the configuration as at any site. */
const storage =
  format === 'maildir'
    ? `drivers: { stores: [maildir] }
    namespaces: [ { use: mailboxfile, store: maildir } ]`
    : `drivers: { use: [ ${use}, dummy ], create: ${made}, empty: ${made} }
    namespaces: [ { use: mailboxfile, inboxPath: ${JSON.stringify(inboxPath)} } ]`

const config = `version: 1
${format === 'maildir' ? "plugins: ['@mailwright/maildir']\n" : ''}server: { name: localhost, runDirectory: run }
processes: { model: ${model}${owner === undefined ? '' : `, mailUser: ${owner}`} }
log: [ { use: stderr, level: warn } ]
listeners:
  imap: { protocol: imap4, address: 127.0.0.1, port: ${port}, tls: none }
  pop3: { protocol: pop3, address: 127.0.0.1, port: ${pop3Port}, tls: none }
hosts:
  default:
    ${storage}
    auth:
      plaintext: always
      failureDelay: 0s
      schemes: [ { use: plain, allow: true } ]
      passwords: [ { use: file, path: users.txt } ]
      users: [ { use: virtual, home: ${JSON.stringify(join(home, 'mail', '{user}'))} } ]
    mailbox: { durability: ${process.env.BENCH_DURABILITY ?? 'full'} }
`

function fail(text) {
  console.error(text)
  process.exit(1)
}
function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const pid = () => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0)

async function until(what, test) {
  for (let i = 0; i < 300; i++) {
    if (await test()) return
    await new Promise((r) => setTimeout(r, 50))
  }
  fail(`gave up waiting for ${what}`)
}
const listening = () =>
  new Promise((resolve) => {
    const s = connect(port, '127.0.0.1', () => (s.destroy(), resolve(true)))
    s.on('error', () => resolve(false))
  })

/** What `npm install` would put beside the configuration. */
function install() {
  const modules = join(home, 'node_modules')
  mkdirSync(join(modules, '@mailwright'), { recursive: true })
  for (const [name, target] of [['mailwright', top], ['zod', join(top, 'node_modules/zod')]]) {
    rmSync(join(modules, name), { force: true })
    symlinkSync(target, join(modules, name))
  }
  cpSync(join(top, 'plugins/contrib/maildir'), join(modules, '@mailwright/maildir'), { recursive: true })
}
/** Files that make `~/mbox` the INBOX, and the folder to which mail is delivered. */
function makeMboxes(users) {
  mkdirSync(join(home, 'spool'), { recursive: true })
  for (const user of users) {
    mkdirSync(join(home, 'mail', user), { recursive: true })
    writeFileSync(join(home, 'mail', user, 'mbox'), '', { flag: 'a', mode: 0o600 })
  }
}
async function start() {
  if (pid() !== 0 && alive(pid())) return
  // It would be measured in place of the one that cannot start.
  if (await listening()) fail(`port ${port} is another server's: set IMAP_PORT and POP3_PORT`)
  mkdirSync(join(home, 'mail'), { recursive: true })
  const users = Array.from({ length: 20 }, (_, i) => `testuser${i + 1}`)
  if (format === 'mbox') makeMboxes(users)
  if (owner !== undefined) {
    // Folders above it have to let the account through.
    execFileSync('chown', ['-R', `${owner}:`, ...['mail', 'spool'].map((folder) => join(home, folder)).filter((folder) => existsSync(folder))])
    execFileSync('chmod', ['o+x', home])
  }
  writeFileSync(join(home, 'users.txt'), users.map((user) => `${user}:{PLAIN}testpass\n`).join(''), { mode: 0o600 })
  writeFileSync(configFile, config)
  if (format === 'maildir') install()
  const logFile = join(home, 'server.log')
  const log = openSync(logFile, 'a')
  const { size } = statSync(logFile)
  const node = process.env.BENCH_NODE_OPTIONS?.split(' ') ?? []
  const child = spawn(process.execPath, [...node, join(top, 'dist/core/main/cli.js'), 'serve', '--config', configFile], {
    detached: true,
    stdio: ['ignore', log, log],
  })
  let ended = false
  child.on('exit', () => (ended = true))
  child.unref()
  writeFileSync(pidFile, String(child.pid))
  await until(`port ${port}; see ${logFile}`, async () => ended || (await listening()))
  if (!ended) return
  rmSync(pidFile)
  fail(`the server did not start:\n${readFileSync(logFile).subarray(size)}`)
}
async function stop() {
  const running = pid()
  if (running !== 0 && alive(running)) {
    process.kill(running, 'SIGTERM')
    await until(`process ${running} to end`, () => !alive(running))
  }
  rmSync(pidFile, { force: true })
}

const verbs = {
  start,
  stop,
  restart: async () => (await stop(), await start()),
  pids: async () => console.log(pid()),
  wipe: async () => (await stop(), rmSync(home, { recursive: true, force: true })),
}
const verb = verbs[process.argv[2]]
if (verb === undefined) {
  console.error(`usage: node test/bench/ours.mjs ${Object.keys(verbs).join('|')}`)
  process.exit(64)
}
await verb()
