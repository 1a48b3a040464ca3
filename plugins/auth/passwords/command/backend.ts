import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { MailError, type Claim, type PasswordBackend, type PeerFacts, type Secret, type Verdict } from 'mailwright/api'
import { CallLimit, withinTime } from '../../shared/time-limit.js'

/** What its entry in the configuration says. */
export interface CommandSettings {
  /** Absolute path and arguments; never given to a shell. */
  readonly program: readonly [string, ...string[]]
  readonly timeoutMs: number
  readonly parallel: number
  readonly fallthrough: boolean
}
/** What the program runs in the end, when it accepts: it prints the environment that was made for the user. */
const SUCCESS = ['/usr/bin/env', '-0']
const MAX_OUTPUT = 64 * 1024
/** D. J. Bernstein's checkpassword interface: descriptor 3, then these codes. */
const REFUSALS: Readonly<Record<number, Verdict>> = { 1: { kind: 'wrong-password' }, 3: { kind: 'unknown-user' } }

/**
 * A program with the checkpassword interface: name, password and a time stamp on descriptor 3, each followed by a NUL; it runs the rest
 * of its arguments when it accepts. Secrets are neither in arguments nor in the environment.
 */
export class CommandBackend implements PasswordBackend {
  readonly fallthrough: boolean
  readonly #settings: CommandSettings
  readonly #turns: CallLimit
  constructor(settings: CommandSettings) {
    this.#settings = settings
    this.fallthrough = settings.fallthrough
    this.#turns = new CallLimit(settings.parallel)
  }

  async verify(claim: Claim, peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    if (claim.kind !== 'password') return { kind: 'unknown-user' }
    const [program] = this.#settings.program
    return await withinTime(program, this.#settings.timeoutMs, signal, (both) => this.#turns.run(both, () => this.#run(claim.user, claim.password, peer, both)))
  }

  #run(user: string, password: Secret, peer: PeerFacts, signal: AbortSignal): Promise<Verdict> {
    const [program, ...args] = this.#settings.program
    return new Promise((resolve, reject) => {
      const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', PROTO: 'TCP', SERVICE: peer.service, TCPREMOTEIP: peer.address, TCPLOCALIP: peer.localAddress, TCPLOCALPORT: String(peer.localPort), AUTHORIZED: '0' }
      // A group of its own, so that what it started ends with it.
      const child = spawn(program, [...args, ...SUCCESS], { env, cwd: '/', detached: true, stdio: ['ignore', 'pipe', 'ignore', 'pipe'] })
      const end = (): void => {
        if (child.pid !== undefined) killGroup(child.pid)
      }
      signal.addEventListener('abort', end, { once: true })
      let output = ''
      child.stdout?.on('data', (chunk: Buffer) => {
        if (output.length < MAX_OUTPUT) output += chunk.toString('utf8')
      })
      child.on('error', (error) => {
        signal.removeEventListener('abort', end)
        reject(new MailError('unavailable', `${program} cannot be run: ${error.message}`, { cause: error }))
      })
      child.on('close', (code, killed) => {
        signal.removeEventListener('abort', end)
        const refusal = code === null ? undefined : REFUSALS[code]
        if (code === 0) resolve({ kind: 'accepted', user: nameIn(output) ?? user, alerts: [] })
        else if (refusal !== undefined) resolve(refusal)
        else reject(new MailError('unavailable', `${program} ended with ${code === null ? `signal ${killed ?? 'unknown'}` : `code ${code}`}`))
      })
      // The fourth descriptor is a pipe, as the list above says.
      const pipe = child.stdio[3] as Writable | null | undefined
      // A program that does not read its input ends, and its code tells.
      pipe?.on('error', () => undefined)
      pipe?.end(Buffer.concat([Buffer.from(`${user}\0`), password.reveal(), Buffer.from(`\0${Date.now()}\0`)]))
    })
  }
}

function nameIn(environment: string): string | undefined {
  const found = environment.split('\0').find((line) => line.startsWith('USER='))?.slice('USER='.length)
  return found === '' ? undefined : found
}
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended in between.
  }
}
