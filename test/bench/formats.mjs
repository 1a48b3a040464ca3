#!/usr/bin/env node
// `npm run bench:formats`: what one message costs in a mailbox of 10 000, and of 100 000 with --large, in each format of this server, every change synced
// before its tagged OK; with --dovecot also in Dovecot's mdbox and Maildir (needs root, as `npm run bench` does). One format after the other, on a server
// of its own. Options after `--`:
// mbox is an INBOX to which new mail is moved from elsewhere, and phile a file of as many octets that can only be read. dummy has no row: it shows files
// without octets, so there is no message to be measured, and what follows the first one is the format's that `drivers.empty` names.
//   --formats a,b (all; maildir is the package of plugins/contrib)   --messages N (10000)   --large   --large-messages N (100000)   --repeat N (3)   --dovecot   --port N (14500)
//   --minutes N (no format begins after so many)   --out DIR (var/bench-results)
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { control, Loads, mustKnow, onlyOne, ours, show, theirs, top } from './peer.mjs'

const HOME = join(top, 'var/bench-formats')
const ONE_MESSAGE = ['--scenario', 'one-message']
/** What the load client is asked for. */
const FORMATS = {
  ...Object.fromEntries(['mix', 'mbx', 'unix', 'mmdf', 'mx', 'mh', 'mtx', 'tenex', 'maildir'].map((format) => [format, ONE_MESSAGE])),
  mbox: [...ONE_MESSAGE, '--spool', join(HOME, 'spool/testuser1')],
  phile: ['--scenario', 'one-file', '--file', join(HOME, 'mail/testuser1/bench-file')],
}
/** Locations of Dovecot's. */
const LOCATIONS = { 'Dovecot mdbox': 'mdbox:~/mdbox', 'Dovecot Maildir': 'maildir:~/Maildir' }
const { values: opt } = parseArgs({
  options: {
    formats: { type: 'string', default: Object.keys(FORMATS).join(',') },
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
mustKnow('formats', formats, Object.keys(FORMATS))
onlyOne()
const port = Number(opt.port)
const peers = [
  ...formats.map((format) => ({ ...ours(format, { BENCH_FORMAT: format, BENCH_HOME: HOME }), load: FORMATS[format] })),
  ...(opt.dovecot ? Object.entries(LOCATIONS).map(([name, location]) => ({ ...theirs(name, 'dovecot', { DOVECOT_MAIL: location }), load: ONE_MESSAGE })) : []),
].map((peer) => ({ ...peer, port, pop3: port + 1 }))
const sizes = [opt.messages, ...(opt.large ? [opt['large-messages']] : [])]
const loads = new Loads(opt.minutes)

/** By metric: its unit. */
const metrics = new Map()
/** By size and peer, by metric: the median. */
const cells = new Map()
mkdirSync(opt.out, { recursive: true })
for (const peer of peers) {
  if (loads.interrupted) break
  try {
    control(peer, 'stop')
    control(peer, 'wipe')
    control(peer, 'start')
    for (const messages of sizes) {
      if (loads.interrupted) break
      console.error(`${peer.name}: ${messages} messages`)
      const cell = new Map()
      for (const { metric, unit, median } of await loads.of(peer, [...peer.load, '--messages', messages, '--repeat', opt.repeat, '--users', '2'])) {
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
