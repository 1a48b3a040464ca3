#!/usr/bin/env node
// POP3 of this server and of others with the same load client, in interleaved rounds, and the ratio of the medians. Needs root (the others run in a
// chroot made from Debian packages). Options:
//   --rounds N (3)   --small N (1000)   --peers dovecot,courier   --out DIR (var/bench-results)
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ahead, control, Loads, median, mustKnow, onlyOne, ours, show, theirs, top, versionOf } from './peer.mjs'

const { values: opt } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    small: { type: 'string', default: '1000' },
    peers: { type: 'string', default: 'dovecot,courier' },
    out: { type: 'string', default: join(top, 'var/bench-results') },
  },
})
const PORTS = { dovecot: [14300, 11000], courier: [14302, 11002], cyrus: [14301, 11001] }
const wanted = opt.peers.split(',')
mustKnow('peers', wanted, Object.keys(PORTS))
onlyOne()
// Runs on one machine may need other ports: BENCH_PORTS is added to all of them.
const shift = Number(process.env.BENCH_PORTS ?? 0)
const peers = [
  { ...ours('mailwright'), port: 14399 + shift, pop3: 11099 + shift },
  ...wanted.map((name) => ({ ...theirs(name, name), port: PORTS[name][0] + shift, pop3: PORTS[name][1] + shift })),
]
const loads = new Loads('')

mkdirSync(opt.out, { recursive: true })
const results = new Map(peers.map((p) => [p.name, new Map()]))
const units = new Map()
try {
  for (let round = 1; round <= Number(opt.rounds) && !loads.interrupted; round++) {
    for (const peer of peers) {
      if (loads.interrupted) break
      control(peer, 'stop')
      control(peer, 'wipe')
      control(peer, 'start')
      console.error(`round ${round} of ${opt.rounds}: ${peer.name}`)
      const lines = await loads.of(peer, ['--small', opt.small, '--scenario', 'pop3', '--fresh'])
      writeFileSync(join(opt.out, `${peer.name}-${round}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      for (const o of lines) {
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

const others = peers.slice(1)
console.log(`mailwright: unix mbox, fsync before every tagged OK. ${others.map((peer) => `${peer.name} ${versionOf(peer)}`).join(', ')}: Maildir, Debian's defaults.
Medians of ${opt.rounds} interleaved rounds, ${opt.small} messages, one event loop; within 1.5x counts as equal.

| row | unit | mailwright |${others.map(({ name }) => ` ${name} | ratio (above 1: ahead) |`).join('')}
|---|---|---:|${others.map(() => '---:|---:|').join('')}`)
for (const [row, unit] of units) {
  const mine = results.get('mailwright').get(row)
  const cells = others.map(({ name }) => {
    const other = results.get(name).get(row)
    if (other === undefined) return '- | '
    return `${show(median(other))} | ${mine === undefined ? '' : ahead(unit, median(mine), median(other)).toFixed(2)}`
  })
  console.log(`| ${row} | ${unit} | ${mine === undefined ? '-' : show(median(mine))} | ${cells.join(' | ')} |`)
}
