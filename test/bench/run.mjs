#!/usr/bin/env node
// `npm run bench`: this server and Debian's Dovecot with the same load client. In each round every group of rows runs on one server right after the
// other, in alternating order, so that what else the machine does meets both; the ratio is the median of the rounds' ratios. Needs root (Dovecot runs
// in a chroot made from Debian packages). Options after `--`:
//   --rounds N (3)   --messages N (10000)   --small N (1000)   --rows a,b (groups: see GROUPS; all but large)   --large N (100000, for the group "large")
//   --format NAME (unix: of this server's mailboxes)   --mail LOCATION (maildir:~/Maildir: Dovecot's mail_location)   --port N (14300: Dovecot; this server N + 99)
//   --logins N (30)   --minutes N (no group begins after so many)   --out DIR (var/bench-results)
// However it ends, by itself, out of time or interrupted, it stops both servers and prints the table of what was measured; after each round the table
// is in DIR/table.md as well.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const here = fileURLToPath(new URL('.', import.meta.url))
/** Scenarios that belong together: those of the large INBOX build on one another. */
const GROUPS = {
  login: 'login',
  inbox: 'prep,select,fetch-flags,fetch-env,fetch-body,search,sort,thread',
  store: 'store',
  append: 'append',
  copy: 'copy',
  expunge: 'expunge',
  idle: 'idle',
  // A gigabyte and a quarter of mail for each server: only when asked for.
  large: 'prep,select,fetch-flags',
}
const { values: opt } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    messages: { type: 'string', default: '10000' },
    small: { type: 'string', default: '1000' },
    large: { type: 'string', default: '100000' },
    format: { type: 'string', default: 'unix' },
    mail: { type: 'string', default: 'maildir:~/Maildir' },
    port: { type: 'string', default: '14300' },
    logins: { type: 'string', default: '30' },
    minutes: { type: 'string', default: '' },
    rows: { type: 'string', default: Object.keys(GROUPS).filter((g) => g !== 'large').join(',') },
    out: { type: 'string', default: join(here, '../../var/bench-results') },
  },
})
const groups = opt.rows.split(',')
const unknown = groups.filter((g) => !Object.hasOwn(GROUPS, g))
if (unknown.length > 0) {
  console.error(`unknown rows: ${unknown.join(', ')}; there are ${Object.keys(GROUPS).join(', ')}`)
  process.exit(64)
}
const port = Number(opt.port)
const peers = [
  { name: 'mailwright', port: port + 99, control: ['node', join(here, 'ours.mjs')], env: { IMAP_PORT: port + 99, POP3_PORT: port + 98, BENCH_FORMAT: opt.format } },
  { name: 'dovecot', port, control: [join(here, 'peers/dovecot.sh')], env: { IMAP_PORT: port, POP3_PORT: port + 1, DOVECOT_MAIL: opt.mail } },
]
const envOf = (peer) => ({ ...process.env, ...Object.fromEntries(Object.entries(peer.env).map(([name, value]) => [name, String(value)])) })
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
/** No row is worth more than that. */
const LONGEST_GROUP_MS = 20 * 60_000

/** The client's lines of one group. */
async function load(peer, group) {
  const large = group === 'large'
  const args = [join(here, 'load.mjs'), '--label', peer.name, '--imap-port', String(peer.port), '--messages', large ? opt.large : opt.messages,
    '--small', opt.small, '--logins', opt.logins, '--scenario', GROUPS[group], '--fresh', ...(large ? ['--first', '15', '--users', '5'] : []),
    '--cold-cmd', `${peer.control.join(' ')} restart </dev/null >/dev/null`]
  loading = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: LONGEST_GROUP_MS, env: envOf(peer) })
  let out = ''
  // Where a scenario failed, its line says so.
  for await (const chunk of loading.stdout) out += chunk
  loading = undefined
  // One that was interrupted may have left half a line.
  return out.split('\n').slice(0, -1).map((line) => JSON.parse(line))
}

mkdirSync(opt.out, { recursive: true })
/** By row: its unit, and the medians of each round by peer. */
const rows = new Map()
try {
  for (const peer of peers) {
    control(peer, 'stop')
    control(peer, 'wipe')
    control(peer, 'start')
  }
  for (let round = 1; round <= Number(opt.rounds) && !interrupted; round++) {
    for (const group of groups) {
      if (Date.now() >= endsAt) interrupted = true
      for (const peer of round % 2 === 1 ? peers : peers.toReversed()) {
        if (interrupted) break
        console.error(`round ${round} of ${opt.rounds}: ${group}: ${peer.name}`)
        const lines = await load(peer, group)
        if (interrupted) break
        writeFileSync(join(opt.out, `${peer.name}-${group}-${round}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
        for (const { scenario, metric, unit, median: value, error } of lines) {
          if (error) console.error(`  ${scenario}: ${error}`)
          if (unit === undefined) continue
          const name = `${group === 'large' ? `${opt.large} messages, ` : ''}${scenario}: ${metric}`
          if (!rows.has(name)) rows.set(name, { unit, rounds: new Map() })
          const { rounds } = rows.get(name)
          if (!rounds.has(round)) rounds.set(round, {})
          rounds.get(round)[peer.name] = value
        }
      }
    }
    writeFileSync(join(opt.out, 'table.md'), table())
  }
} finally {
  for (const peer of peers) control(peer, 'stop')
}
console.log(table())

function median(list) {
  const s = list.toSorted((a, b) => a - b)
  return s.length % 2 === 1 ? s[(s.length - 1) / 2] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2
}
function show(list) {
  if (list.length === 0) return '-'
  return median(list) >= 100 ? median(list).toFixed(0) : median(list).toPrecision(3)
}
function table() {
  const dovecot = execFileSync(peers[1].control[0], ['version']).toString().split(/\s/)[0]
  const head = `mailwright: mailboxes of format ${opt.format}, every change synced before its tagged OK (durability ${process.env.BENCH_DURABILITY ?? 'full'}), process model ${process.env.BENCH_MODEL ?? 'single'}.
dovecot ${dovecot}: ${opt.mail}, Debian's default mail_fsync=optimized (messages are synced, flag changes are not).
Medians of up to ${opt.rounds} rounds, ${opt.messages} messages in INBOX, ${opt.small} in the small mailboxes; a ratio above 1: mailwright is ahead; less than 1.5 either way is equal.

| row | unit | mailwright | dovecot | ratio | of single rounds |
|---|---|---:|---:|---:|---|`
  const lines = [...rows].map(([name, { unit, rounds }]) => {
    const of = (peer) => [...rounds.values()].flatMap((r) => r[peer] ?? [])
    const ratios = [...rounds.values()].flatMap(({ mailwright, dovecot: theirs }) =>
      mailwright === undefined || theirs === undefined ? [] : [unit.endsWith('/s') ? mailwright / theirs : theirs / mailwright])
    const range = ratios.map((x) => x.toFixed(2)).join(' ')
    return `| ${name} | ${unit} | ${show(of('mailwright'))} | ${show(of('dovecot'))} | ${ratios.length === 0 ? '' : median(ratios).toFixed(2)} | ${range} |`
  })
  return `${head}\n${lines.join('\n')}\n`
}
