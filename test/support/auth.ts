import {
  PASSWORD,
  secret,
  type AuthSettings,
  type BackendAbout,
  type Claim,
  type Clock,
  type Entry,
  type Logger,
  type LoginPolicy,
  type MailUser,
  type MechanismAbout,
  type PasswordBackend,
  type PeerFacts,
  type SaslMechanism,
  type Secret,
  type UserDirectory,
  type Verdict,
} from 'mailwright/api'
import { HostLoginGate } from '../../core/session/auth/login-gate.js'
import { loginMechanism } from '../../plugins/auth/mechanisms/login/login.js'
import { plainMechanism } from '../../plugins/auth/mechanisms/plain/plain.js'

/** Time that stands still until it is moved. */
export class HeldClock implements Clock {
  #now: number
  #waiting: { at: number; run: () => void }[] = []
  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }
  now(): number {
    return this.#now
  }
  steady(): number {
    return this.now()
  }
  after(ms: number, run: () => void): Disposable {
    const entry = { at: this.#now + ms, run }
    this.#waiting.push(entry)
    return { [Symbol.dispose]: () => void (this.#waiting = this.#waiting.filter((w) => w !== entry)) }
  }
  /** Runs what falls due, in order. */
  advance(ms: number): void {
    this.#now += ms
    const due = this.#waiting.filter((w) => w.at <= this.#now).sort((a, b) => a.at - b.at)
    this.#waiting = this.#waiting.filter((w) => w.at > this.#now)
    for (const { run } of due) run()
  }
  /** Milliseconds until the pending calls, ascending. */
  get pending(): readonly number[] {
    return this.#waiting.map((w) => w.at - this.#now).sort((a, b) => a - b)
  }
}

/** Lines as `level event key=value ...`. */
export class LoggedLines implements Logger {
  readonly lines: string[] = []
  debug(event: string, facts?: object): void {
    this.#add('debug', event, facts)
  }
  info(event: string, facts?: object): void {
    this.#add('info', event, facts)
  }
  warn(event: string, facts?: object): void {
    this.#add('warn', event, facts)
  }
  error(event: string, facts?: object): void {
    this.#add('error', event, facts)
  }
  #add(level: string, event: string, facts: object = {}): void {
    this.lines.push([level, event, ...Object.entries(facts).map(([key, value]) => `${key}=${String(value)}`)].join(' '))
  }
}

export const words = (text: string): Secret => secret(new TextEncoder().encode(text))
export const octets = (text: string): Uint8Array => new TextEncoder().encode(text)
export const never: AbortSignal = new AbortController().signal

const clear: PeerFacts = { session: 's1', address: '192.0.2.7', localAddress: '192.0.2.1', localPort: 143, service: 'imap' }
const encrypted: PeerFacts = { ...clear, tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', bindings: {} } }
/** Other ends: in clear, and inside TLS. */
export const peers = { clear, encrypted, session: (session: string): PeerFacts => ({ ...encrypted, session }) }

/** A backend of a table; `asked` lists the claims it saw. */
export function tableBackend(
  users: Readonly<Record<string, string>>,
  more: Partial<PasswordBackend> = {},
): PasswordBackend & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    verify(claim: Claim): Promise<Verdict> {
      if (claim.kind !== 'password') return Promise.resolve({ kind: 'unknown-user' })
      asked.push(claim.user)
      const stored = users[claim.user]
      if (stored === undefined) return Promise.resolve({ kind: 'unknown-user' })
      const isRight = Buffer.from(claim.password.reveal()).toString() === stored
      return Promise.resolve(isRight ? { kind: 'accepted', user: claim.user, alerts: [] } : { kind: 'wrong-password' })
    },
    ...more,
  }
}
/** A backend that hands out the passwords of a table. */
export function clearBackend(users: Readonly<Record<string, string>>): PasswordBackend {
  return { lookup: (user, kind) => Promise.resolve(kind.id === PASSWORD.id && users[user] !== undefined ? { user, value: kind.codec.decode(octets(users[user])) } : undefined) }
}
export const aboutClear: BackendAbout = { verifies: [], holds: [PASSWORD], changes: false }
export const aboutPasswords: BackendAbout = { verifies: ['password'], holds: [], changes: false }
export function entry<Made, About>(name: string, made: Made, about: About): Entry<Made, About> {
  return { name, plugin: `test-${name}`, made, about }
}
export const openDirectory: UserDirectory = {
  find: (user) => Promise.resolve({ name: user, kind: 'account', home: `/home/${user}`, facts: {} } satisfies MailUser),
}
export const builtinMechanisms: readonly Entry<SaslMechanism, MechanismAbout>[] = [
  entry('plain', plainMechanism, { name: 'PLAIN', exposesPassword: true, verifiesBy: ['password'], worksWith: [], offered: () => true }),
  entry('login', loginMechanism, { name: 'LOGIN', exposesPassword: true, verifiesBy: ['password'], worksWith: [], offered: () => true }),
]

/** A gate with what a test changes of it. */
export function gateFor(
  parts: {
    readonly backends?: readonly PasswordBackend[]
    readonly mechanisms?: readonly Entry<SaslMechanism, MechanismAbout>[]
    readonly directories?: readonly UserDirectory[]
    readonly policies?: readonly LoginPolicy[]
    readonly settings?: Partial<AuthSettings>
    readonly about?: BackendAbout
  } = {},
): { readonly gate: HostLoginGate; readonly clock: HeldClock; readonly log: LoggedLines } {
  const clock = new HeldClock()
  const log = new LoggedLines()
  const backends = parts.backends ?? [tableBackend({ alice: 'secret' })]
  const gate = new HostLoginGate({
    mechanisms: parts.mechanisms ?? builtinMechanisms,
    backends: backends.map((b, i) => entry(`b${i}`, b, parts.about ?? aboutPasswords)),
    directories: (parts.directories ?? [openDirectory]).map((d, i) => entry(`d${i}`, d, undefined)),
    policies: parts.policies ?? [],
    settings: { plaintext: 'encrypted-only', maxAttempts: 3, failureDelayMs: 3000, ...parts.settings },
    host: { id: 'default', serverName: 'mail.example.org' },
    logger: log,
    clock,
  })
  return { gate, clock, log }
}

/** Lets what is ready run, without waiting for time. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}
/** Moves the clock until the promise settles; says what it became and how long it was held. */
export async function held<T>(clock: HeldClock, promise: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const from = clock.now()
  const state = { settled: false }
  const done = promise.finally(() => (state.settled = true))
  done.catch(() => undefined)
  // A real hash takes its time, so there is no number of turns after which it must be there.
  while (!state.settled) {
    await turns()
    const next = clock.pending[0]
    if (!state.settled && next !== undefined) clock.advance(next)
  }
  return { value: await done, ms: clock.now() - from }
}
/** A client that gives these answers, then says `*`. */
export function answering(...answers: readonly (string | Uint8Array)[]): {
  readonly ask: (challenge: Uint8Array) => Promise<Uint8Array>
  readonly challenges: string[]
} {
  const left = [...answers]
  const challenges: string[] = []
  return {
    challenges,
    ask(challenge) {
      challenges.push(Buffer.from(challenge).toString('latin1'))
      const next = left.shift()
      if (next === undefined) return Promise.reject(new Error('cancelled by the client'))
      return Promise.resolve(typeof next === 'string' ? octets(next) : next)
    },
  }
}
