#!/usr/bin/env node
// `npm run bench`: this server and Debian's Dovecot with the same load client. In each round every group of rows runs on one server right after the
// other, in alternating order, so that what else the machine does meets both; the ratio is the median of the rounds' ratios. Needs root (Dovecot runs
// in a chroot made from Debian packages). Options after `--`:
//   --rounds N (3)   --warm N (0: rounds before them that are not counted: servers run for weeks, and code that is compiled while it runs is slow in its first minute)   --messages N (10000)   --small N (1000)   --rows a,b (groups: see GROUPS; all but large)   --large N (100000, for the group "large")
//   --format NAME (unix: of this server's mailboxes)   --mail LOCATION (maildir:~/Maildir: Dovecot's mail_location)   --port N (14300: Dovecot; this server N + 99)
//   --fsync WHEN (optimized: Dovecot's mail_fsync; always is what this server does with durability full)
//   --logins N (30)   --minutes N (no group begins after so many)   --out DIR (var/bench-results)
// However it ends, by itself, out of time or interrupted, it stops both servers and prints the table of what was measured; after each round the table
// is in DIR/table.md as well.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ahead, control, Loads, median, mustKnow, onlyOne, ours, show, theirs, top, versionOf } from './peer.mjs'

/** Scenarios that belong together: those of the large INBOX build on one another. */
const GROUPS = {
  login: 'login',
  inbox: 'prep,select,fetch-flags,fetch-env,fetch-body,search,sort,thread',
  store: 'store',
  append: 'append',
  copy: 'copy',
  expunge: 'expunge',
  idle: 'idle',
  // After all rounds of the others, which are so those of servers that have been running for a while; with the large INBOX that is there already.
  restart: 'restart',
  // A gigabyte and a quarter of mail for each server: only when asked for.
  large: 'prep,select,fetch-flags,restart',
}
const { values: opt } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    warm: { type: 'string', default: '0' },
    messages: { type: 'string', default: '10000' },
    small: { type: 'string', default: '1000' },
    large: { type: 'string', default: '100000' },
    format: { type: 'string', default: 'unix' },
    mail: { type: 'string', default: 'maildir:~/Maildir' },
    fsync: { type: 'string', default: 'optimized' },
    port: { type: 'string', default: '14300' },
    logins: { type: 'string', default: '30' },
    minutes: { type: 'string', default: '' },
    rows: { type: 'string', default: Object.keys(GROUPS).filter((g) => g !== 'large').join(',') },
    out: { type: 'string', default: join(top, 'var/bench-results') },
  },
})
/** When Dovecot syncs what it has written: its mail_fsync. */
const FSYNC = { optimized: "Debian's default mail_fsync=optimized (messages are synced, flag changes are not)", always: 'mail_fsync=always (every change is synced)', never: 'mail_fsync=never (nothing is synced)' }
const groups = opt.rows.split(',')
mustKnow('rows', groups, Object.keys(GROUPS))
mustKnow('fsync', [opt.fsync], Object.keys(FSYNC))
onlyOne()
const port = Number(opt.port)
const [mailwright, dovecot] = [
  { ...ours('mailwright', { BENCH_FORMAT: opt.format }), port: port + 99, pop3: port + 98 },
  { ...theirs('dovecot', 'dovecot', { DOVECOT_MAIL: opt.mail, DOVECOT_FSYNC: opt.fsync }), port, pop3: port + 1 },
]
const peers = [mailwright, dovecot]
const loads = new Loads(opt.minutes)
/** No row is worth more than that. */
const LONGEST_GROUP_MS = 20 * 60_000

function argsOf(group) {
  const large = group === 'large'
  return ['--messages', large ? opt.large : opt.messages, '--small', opt.small, '--logins', opt.logins, '--scenario', GROUPS[group], ...(group === 'restart' ? [] : ['--fresh']), ...(large ? ['--first', '15', '--users', '5'] : [])]
}

mkdirSync(opt.out, { recursive: true })
/** By row: its unit, and the medians of each round by peer. */
const rows = new Map()
/** By peer, what was not measured with it and why, such as an extension that it does not have. */
const skips = new Map(peers.map(({ name }) => [name, new Set()]))
try {
  for (const peer of peers) {
    control(peer, 'stop')
    control(peer, 'wipe')
    control(peer, 'start')
  }
  for (let round = 1; round <= Number(opt.warm) && !loads.interrupted; round++) {
    for (const group of groups.filter((g) => g !== 'restart')) for (const peer of peers) await warmUp(group, round, peer)
  }
  for (const part of [groups.filter((g) => g !== 'restart'), groups.filter((g) => g === 'restart')]) {
    for (let round = 1; round <= Number(opt.rounds) && !loads.interrupted; round++) {
      for (const group of part) await measure(group, round)
      writeFileSync(join(opt.out, 'table.md'), table())
    }
  }
} finally {
  for (const peer of peers) control(peer, 'stop')
}
console.log(table())

/** A group whose figures nobody keeps. */
async function warmUp(group, round, peer) {
  if (loads.interrupted) return
  console.error(`warm-up ${round} of ${opt.warm}: ${group}: ${peer.name}`)
  await loads.of(peer, argsOf(group), LONGEST_GROUP_MS)
}
/** A group on each server, and its figures among the rows. */
async function measure(group, round) {
  for (const peer of round % 2 === 1 ? peers : peers.toReversed()) {
    if (loads.interrupted) return
    console.error(`round ${round} of ${opt.rounds}: ${group}: ${peer.name}`)
    const lines = await loads.of(peer, argsOf(group), LONGEST_GROUP_MS)
    if (loads.interrupted) return
    writeFileSync(join(opt.out, `${peer.name}-${group}-${round}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    for (const { scenario, metric, unit, median: value, skipped } of lines) {
      if (skipped !== undefined) skips.get(peer.name).add(`${scenario}: ${metric} (${skipped})`)
      if (unit === undefined) continue
      const name = `${group === 'large' ? `${opt.large} messages, ` : ''}${scenario}: ${metric}`
      if (!rows.has(name)) rows.set(name, { unit, rounds: new Map() })
      const { rounds } = rows.get(name)
      if (!rounds.has(round)) rounds.set(round, {})
      rounds.get(round)[peer.name] = value
    }
  }
}

function table() {
  const head = `mailwright: mailboxes of format ${opt.format}, every change synced before its tagged OK (durability ${process.env.BENCH_DURABILITY ?? 'full'}), process model ${process.env.BENCH_MODEL ?? 'single'}.
dovecot ${versionOf(dovecot)}: ${opt.mail}, ${FSYNC[opt.fsync]}.
Medians of up to ${opt.rounds} rounds${opt.warm === '0' ? ' from the start of both on' : `, behind ${opt.warm} that are not counted`}, ${opt.messages} messages in INBOX, ${opt.small} in the small mailboxes; a ratio above 1: mailwright is ahead; less than 1.5 either way is equal.

| row | unit | mailwright | dovecot | ratio | of single rounds |
|---|---|---:|---:|---:|---|`
  const lines = [...rows].map(([name, { unit, rounds }]) => {
    const middle = (peer) => {
      const values = [...rounds.values()].flatMap((r) => r[peer] ?? [])
      return show(values.length === 0 ? undefined : median(values))
    }
    const ratios = [...rounds.values()].flatMap((r) => (r.mailwright === undefined || r.dovecot === undefined ? [] : [ahead(unit, r.mailwright, r.dovecot)]))
    const range = ratios.map((x) => x.toFixed(2)).join(' ')
    return `| ${name} | ${unit} | ${middle('mailwright')} | ${middle('dovecot')} | ${ratios.length === 0 ? '' : median(ratios).toFixed(2)} | ${range} |`
  })
  const missing = [...skips].filter(([, all]) => all.size > 0).map(([name, all]) => `\nNot measured with ${name}: ${[...all].join(', ')}.\n`)
  return `${head}\n${lines.join('\n')}\n${missing.join('')}`
}
