#!/usr/bin/env node
// POP3 of this server and of others with the same load client, in interleaved rounds, and the ratio of the medians. Needs root (the others run in a
// chroot made from Debian packages). Options:
//   --rounds N (3)   --small N (1000)   --peers dovecot,courier   --out DIR (var/bench-results)
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const here = fileURLToPath(new URL('.', import.meta.url))
const { values: opt } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    small: { type: 'string', default: '1000' },
    peers: { type: 'string', default: 'dovecot,courier' },
    out: { type: 'string', default: join(here, '../../var/bench-results') },
  },
})
const PORTS = { dovecot: [14300, 11000], courier: [14302, 11002], cyrus: [14301, 11001] }
const peers = [
  { name: 'mailwright', port: 14399, pop3: 11099, control: ['node', join(here, 'ours.mjs')] },
  ...opt.peers.split(',').map((name) => ({ name, port: PORTS[name][0], pop3: PORTS[name][1], control: [join(here, `peers/${name}.sh`)] })),
]
// Two runs at the same time need ports of their own: BENCH_PORTS is added to all of them.
for (const peer of peers) {
  peer.port += Number(process.env.BENCH_PORTS ?? 0)
  peer.pop3 += Number(process.env.BENCH_PORTS ?? 0)
}
const environment = (peer) => ({ ...process.env, IMAP_PORT: String(peer.port), POP3_PORT: String(peer.pop3) })
const control = (peer, verb) => execFileSync(peer.control[0], [...peer.control.slice(1), verb], { stdio: ['ignore', 'ignore', 'inherit'], env: environment(peer) })

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
          [join(here, 'load.mjs'), '--label', peer.name, '--imap-port', String(peer.port), '--pop3-port', String(peer.pop3), '--small', opt.small,
            '--scenario', 'pop3', '--fresh', '--cold-cmd', `${peer.control.join(' ')} restart </dev/null >/dev/null`],
          { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26, env: environment(peer) },
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
const others = peers.slice(1)
console.log(`mailwright: unix mbox, fsync before every tagged OK. ${others.map((peer) => `${peer.name} ${version(peer)}`).join(', ')}: Maildir, Debian's defaults.
Medians of ${opt.rounds} interleaved rounds, ${opt.small} messages, one event loop; within 1.5x counts as equal.

| row | unit | mailwright |${others.map(({ name }) => ` ${name} | ratio (above 1: ahead) |`).join('')}
|---|---|---:|${others.map(() => '---:|---:|').join('')}`)
for (const [row, unit] of units) {
  const ours = results.get('mailwright').get(row)
  const cells = others.map(({ name }) => {
    const theirs = results.get(name).get(row)
    if (ours === undefined || theirs === undefined) return `${theirs ? show(median(theirs)) : '-'} | `
    const ratio = higherIsBetter(unit) ? median(ours) / median(theirs) : median(theirs) / median(ours)
    return `${show(median(theirs))} | ${ratio.toFixed(2)}`
  })
  console.log(`| ${row} | ${unit} | ${ours ? show(median(ours)) : '-'} | ${cells.join(' | ')} |`)
}
function version(peer) {
  return /\d[\w.+:-]*/.exec(execFileSync(peer.control[0], ['version']).toString())?.[0] ?? ''
}
