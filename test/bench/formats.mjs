#!/usr/bin/env node
// `npm run bench:formats`: what one message costs in a mailbox of 10 000, and of 100 000 with --large, in each format of this server, every change synced
// before its tagged OK; with --dovecot also in Dovecot's mdbox and Maildir (needs root, as `npm run bench` does). One format after the other, on a server
// of its own. Options after `--`:
//   --formats a,b (all that can be made)   --messages N (10000)   --large   --large-messages N (100000)   --repeat N (3)   --dovecot   --port N (14500)
//   --minutes N (no format begins after so many)   --out DIR (var/bench-results)
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = fileURLToPath(new URL('.', import.meta.url))
const top = join(here, '../..')
const FORMATS = ['mix', 'mbx', 'unix', 'mmdf', 'mx', 'mh', 'mtx', 'tenex']
/** Locations of Dovecot's. */
const THEIRS = { 'Dovecot mdbox': 'mdbox:~/mdbox', 'Dovecot Maildir': 'maildir:~/Maildir' }
const { values: opt } = parseArgs({
  options: {
    formats: { type: 'string', default: FORMATS.join(',') },
    messages: { type: 'string', default: '10000' },
    large: { type: 'boolean', default: false },
    'large-messages': { type: 'string', default: '100000' },
    repeat: { type: 'string', default: '3' },
    dovecot: { type: 'boolean', default: false },
    port: { type: 'string', default: '14500' },
    minutes: { type: 'string', default: '' },
    out: { type: 'string', default: join(top, 'var/bench-results') },
  },
})
const formats = opt.formats.split(',')
const unknown = formats.filter((f) => !FORMATS.includes(f))
if (unknown.length > 0) {
  console.error(`unknown formats: ${unknown.join(', ')}; there are ${FORMATS.join(', ')}`)
  process.exit(64)
}
const port = Number(opt.port)
const home = join(top, 'var/bench-formats')
const peers = [
  ...formats.map((format) => ({ name: format, control: [process.execPath, join(here, 'ours.mjs')], env: { BENCH_FORMAT: format, BENCH_HOME: home } })),
  ...(opt.dovecot ? Object.entries(THEIRS).map(([name, DOVECOT_MAIL]) => ({ name, control: [join(here, 'peers/dovecot.sh')], env: { DOVECOT_MAIL } })) : []),
]
const sizes = [opt.messages, ...(opt.large ? [opt['large-messages']] : [])]
const envOf = ({ env }) => ({ ...process.env, IMAP_PORT: String(port), POP3_PORT: String(port + 1), ...env })
const control = (peer, verb) => execFileSync(peer.control[0], [...peer.control.slice(1), verb], { stdio: ['ignore', 'ignore', 'inherit'], env: envOf(peer) })

let loading
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true
    loading?.kill('SIGTERM')
  })
}
const endsAt = opt.minutes === '' ? Infinity : Date.now() + Number(opt.minutes) * 60_000
async function load(peer, messages) {
  const args = [join(here, 'load.mjs'), '--label', peer.name, '--imap-port', String(port), '--scenario', 'one-message', '--messages', messages, '--repeat', opt.repeat,
    '--users', '2', '--cold-cmd', `${peer.control.map((part) => `'${part}'`).join(' ')} restart </dev/null >/dev/null`]
  loading = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: envOf(peer) })
  let out = ''
  for await (const chunk of loading.stdout) out += chunk
  loading = undefined
  return out.split('\n').slice(0, -1).map((line) => JSON.parse(line))
}

/** By metric: its unit. */
const metrics = new Map()
/** By size and peer, by metric: the median. */
const cells = new Map()
mkdirSync(opt.out, { recursive: true })
for (const peer of peers) {
  if (Date.now() >= endsAt) interrupted = true
  if (interrupted) break
  try {
    control(peer, 'stop')
    control(peer, 'wipe')
    control(peer, 'start')
    for (const messages of sizes) {
      if (interrupted) break
      console.error(`${peer.name}: ${messages} messages`)
      const cell = new Map()
      for (const { metric, unit, median, error, scenario } of await load(peer, messages)) {
        if (error) console.error(`  ${scenario}: ${error}`)
        if (unit === undefined) continue
        metrics.set(metric, unit)
        cell.set(metric, median)
      }
      cells.set(`${messages} ${peer.name}`, cell)
    }
  } finally {
    control(peer, 'stop')
    control(peer, 'wipe')
  }
  writeFileSync(join(opt.out, 'formats.md'), table())
}
console.log(table())

function show(x) {
  if (x === undefined) return '-'
  return x >= 100 ? x.toFixed(0) : x.toPrecision(2)
}
function table() {
  const names = [...metrics].map(([metric, unit]) => `${metric}, ${unit}`)
  const out = [`Messages of 1 KB, changes synced before their tagged OK (Dovecot: flags are not), medians of ${opt.repeat} and more, Node ${process.version}.`]
  for (const messages of sizes) {
    out.push('', `| ${messages} messages | ${names.join(' | ')} |`, `|---|${names.map(() => '---:').join('|')}|`)
    for (const { name } of peers) {
      const cell = cells.get(`${messages} ${name}`)
      if (cell !== undefined) out.push(`| ${name} | ${[...metrics.keys()].map((metric) => show(cell.get(metric))).join(' | ')} |`)
    }
  }
  return `${out.join('\n')}\n`
}
