// What the benches share: servers that are started and stopped by commands of one kind, the load client against one of them, and a lock, because all
// benches use the same trees of other servers and one spoils the times of the other.
import { execFileSync, spawn } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const here = fileURLToPath(new URL('.', import.meta.url))
export const top = join(here, '../..')
/** EX_USAGE and EX_TEMPFAIL of sysexits.h. */
const [USAGE, LATER] = [64, 75]

/** Ends the program when one of the names is not among those that there are. */
export function mustKnow(what, names, known) {
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  console.error(`unknown ${what}: ${unknown.join(', ')}; there are ${known.join(', ')}`)
  process.exit(USAGE)
}

/** Ends the program while another bench runs on this machine; otherwise others wait until it ended. */
export function onlyOne() {
  const folder = process.env.PEERS_ROOT ?? join(homedir(), '.cache/imap-peers')
  const lock = join(folder, 'bench.lock')
  const mine = `${lock}.${process.pid}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(mine, `${process.pid} ${process.argv.slice(1).join(' ')}, since ${new Date().toISOString()}\n`)
  try {
    for (let holder = take(mine, lock); holder !== undefined; holder = take(mine, lock)) {
      if (isAlive(Number.parseInt(holder, 10))) {
        console.error(`another bench runs: process ${holder.trim()}. One would spoil the other: try again when it ended (${lock}).`)
        process.exitCode = LATER
        break
      }
      // Whoever held it was killed.
      rmSync(lock, { force: true })
    }
  } finally {
    rmSync(mine)
  }
  if (process.exitCode === LATER) process.exit()
  process.on('exit', () => rmSync(lock, { force: true }))
}
/** What the lock says when somebody has it. */
function take(mine, lock) {
  try {
    linkSync(mine, lock)
    return undefined
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    return readFileSync(lock, 'utf8')
  }
}
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** This server, built, and another by its script in `peers/`. Ports (`port`, `pop3`) are added by whoever runs them. */
export function ours(name, env = {}) {
  return { name, control: [process.execPath, join(here, 'ours.mjs')], env }
}
export function theirs(name, script, env = {}) {
  return { name, control: [join(here, `peers/${script}.sh`)], env }
}
const envOf = ({ port, pop3, env }) => ({ ...process.env, IMAP_PORT: String(port), POP3_PORT: String(pop3), ...env })
export function control(peer, verb) {
  execFileSync(peer.control[0], [...peer.control.slice(1), verb], { stdio: ['ignore', 'ignore', 'inherit'], env: envOf(peer) })
}
/** Number of the version. */
export function versionOf(peer) {
  return /\d[\w.+:-]*/.exec(execFileSync(peer.control[0], [...peer.control.slice(1), 'version'], { env: envOf(peer) }).toString())?.[0] ?? ''
}

/** Runs load clients one after the other, until the program is told to end or the time is over. */
export class Loads {
  #running
  #interrupted = false
  #endsAt
  /** `minutes`: no client starts after so many; empty: whenever. */
  constructor(minutes) {
    this.#endsAt = minutes === '' ? Infinity : Date.now() + Number(minutes) * 60_000
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        this.#interrupted = true
        this.#running?.kill('SIGTERM')
      })
    }
  }
  get interrupted() {
    this.#interrupted ||= Date.now() >= this.#endsAt
    return this.#interrupted
  }
  /** Lines of the load client; where a scenario failed, its line says so. `limitMs`: it is ended after that. */
  async of(peer, args, limitMs) {
    const cold = `${peer.control.map((part) => `'${part}'`).join(' ')} restart </dev/null >/dev/null`
    this.#running = spawn(process.execPath, [join(here, 'load.mjs'), '--label', peer.name, '--imap-port', String(peer.port), '--pop3-port', String(peer.pop3), '--cold-cmd', cold, ...args],
      { stdio: ['ignore', 'pipe', 'inherit'], env: envOf(peer), ...(limitMs && { timeout: limitMs }) })
    let out = ''
    for await (const chunk of this.#running.stdout) out += chunk
    this.#running = undefined
    // One that was interrupted may have left half a line.
    const lines = out.split('\n').slice(0, -1).map((line) => JSON.parse(line))
    for (const { scenario, error } of lines) if (error) console.error(`  ${scenario}: ${error}`)
    return lines
  }
}

export function median(list) {
  const s = list.toSorted((a, b) => a - b)
  return s.length % 2 === 1 ? s[(s.length - 1) / 2] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2
}
/** A number with three digits at least; `-` for none. */
export function show(x) {
  if (x === undefined) return '-'
  return x >= 100 ? x.toFixed(0) : x.toPrecision(3)
}
/** By how much the first is ahead: above 1 it is, whatever the unit. */
export function ahead(unit, mine, other) {
  return unit.endsWith('/s') ? mine / other : other / mine
}
