#!/usr/bin/env node
// `npm run bench`: this server and Debian's Dovecot with the same load client, in interleaved rounds, and the ratio of the
// medians. Needs root (Dovecot runs in a chroot made from Debian packages). Options after `--`:
//   --rounds N (3)   --messages N (10000)   --small N (1000)   --scenario a,b   --out DIR (var/bench-results)
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const here = fileURLToPath(new URL('.', import.meta.url))
const { values: opt } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    messages: { type: 'string', default: '10000' },
    small: { type: 'string', default: '1000' },
    scenario: { type: 'string', default: 'login,prep,select,fetch-flags,fetch-env,fetch-body,search,sort,thread,store,append,copy,expunge,idle' },
    out: { type: 'string', default: join(here, '../../var/bench-results') },
  },
})
const peers = [
  { name: 'mailwright', port: 14399, control: ['node', join(here, 'ours.mjs')] },
  { name: 'dovecot', port: 14300, control: [join(here, 'peers/dovecot.sh')] },
]
const control = (peer, verb) => execFileSync(peer.control[0], [...peer.control.slice(1), verb], { stdio: ['ignore', 'ignore', 'inherit'] })

mkdirSync(opt.out, { recursive: true })
const results = new Map(peers.map((p) => [p.name, new Map()]))
const units = new Map()
try {
  for (let round = 1; round <= Number(opt.rounds); round++) {
    for (const peer of peers) {
      control(peer, 'stop')
      control(peer, 'wipe')
      control(peer, 'start')
      console.error(`round ${round} of ${opt.rounds}: ${peer.name}`)
      let out
      try {
        out = execFileSync(
          process.execPath,
          [join(here, 'load.mjs'), '--label', peer.name, '--imap-port', String(peer.port), '--messages', opt.messages, '--small', opt.small,
            '--scenario', opt.scenario, '--fresh', '--cold-cmd', `${peer.control.join(' ')} restart </dev/null >/dev/null`],
          { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 },
        )
      } catch (error) {
        out = error.stdout // some scenario failed; its line says so
      }
      writeFileSync(join(opt.out, `${peer.name}-${round}.jsonl`), out)
      for (const line of out.toString().split('\n').filter(Boolean)) {
        const o = JSON.parse(line)
        if (o.error) console.error(`  ${o.scenario}: ${o.error}`)
        if (o.unit === undefined) continue
        const row = `${o.scenario}: ${o.metric}`
        units.set(row, o.unit)
        const rows = results.get(peer.name)
        rows.set(row, [...(rows.get(row) ?? []), o.median])
      }
      control(peer, 'stop')
    }
  }
} finally {
  for (const peer of peers) control(peer, 'stop')
}

const median = (list) => {
  const s = list.toSorted((a, b) => a - b)
  return s.length % 2 === 1 ? s[(s.length - 1) / 2] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2
}
const show = (x) => (x >= 100 ? x.toFixed(0) : x.toPrecision(3))
// A ratio above 1 means that this server is ahead, whatever the unit.
const higherIsBetter = (unit) => unit.endsWith('/s')
console.log(`mailwright: unix mbox, fsync before every tagged OK. dovecot ${dovecotVersion()}: Maildir, Debian's default mail_fsync=optimized.
Medians of ${opt.rounds} interleaved rounds, ${opt.messages} messages, one event loop; within 1.5x counts as equal.

| row | unit | mailwright | dovecot | ratio (above 1: ahead) |
|---|---|---:|---:|---:|`)
for (const [row, unit] of units) {
  const ours = results.get('mailwright').get(row)
  const theirs = results.get('dovecot').get(row)
  if (ours === undefined || theirs === undefined) {
    console.log(`| ${row} | ${unit} | ${ours ? show(median(ours)) : '-'} | ${theirs ? show(median(theirs)) : '-'} | |`)
    continue
  }
  const ratio = higherIsBetter(unit) ? median(ours) / median(theirs) : median(theirs) / median(ours)
  console.log(`| ${row} | ${unit} | ${show(median(ours))} | ${show(median(theirs))} | ${ratio.toFixed(2)} |`)
}
function dovecotVersion() {
  return execFileSync(peers[1].control[0], ['version']).toString().split(/\s/)[0]
}
