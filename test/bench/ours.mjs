#!/usr/bin/env node
// This server, built, as a peer of the benchmark: `node test/bench/ours.mjs start|stop|restart|pids|wipe`.
// Mail lives in mailboxes of the format BENCH_FORMAT (unix; maildir: the package of plugins/contrib), in a folder of its own under var/bench, users testuser1..20 with password testpass, loopback only.
// BENCH_MODEL=workers or per-user: the process model, as root with the account "mail" as the owner of the mail.
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
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

/** Where mail is kept, as lines of the host. Maildir is a package of its own, installed beside the configuration as at any site. */
const storage =
  format === 'maildir'
    ? `drivers: { stores: [maildir] }
    namespaces: [ { use: mailboxfile, store: maildir } ]`
    : `drivers: { use: [ ${format === 'mh' ? `{ use: mh, path: ${JSON.stringify(join(home, 'mail'))} }` : format}, dummy ], create: ${format}, empty: ${format} }
    namespaces: [ { use: mailboxfile, inboxPath: '{home}/INBOX' } ]`

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
  throw new Error(`gave up waiting for ${what}`)
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
async function start() {
  if (pid() !== 0 && alive(pid())) return
  mkdirSync(join(home, 'mail'), { recursive: true })
  if (owner !== undefined) {
    // Folders above it have to let the account through.
    execFileSync('chown', ['-R', `${owner}:`, join(home, 'mail')])
    execFileSync('chmod', ['o+x', home])
  }
  const users = Array.from({ length: 20 }, (_, i) => `testuser${i + 1}:{PLAIN}testpass`).join('\n')
  writeFileSync(join(home, 'users.txt'), `${users}\n`, { mode: 0o600 })
  writeFileSync(configFile, config)
  if (format === 'maildir') install()
  const log = openSync(join(home, 'server.log'), 'a')
  const node = process.env.BENCH_NODE_OPTIONS?.split(' ') ?? []
  const child = spawn(process.execPath, [...node, join(top, 'dist/core/main/cli.js'), 'serve', '--config', configFile], {
    detached: true,
    stdio: ['ignore', log, log],
  })
  child.unref()
  writeFileSync(pidFile, String(child.pid))
  await until(`port ${port}; see ${join(home, 'server.log')}`, listening)
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
