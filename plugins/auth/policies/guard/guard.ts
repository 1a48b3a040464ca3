import { MailError, type Admission, type Block, type BlockList, type Clock, type Logger, type LoginPolicy, type PeerFacts, type Refusal } from 'mailwright/api'
import { inNetworks, networkOf } from '../../shared/networks.js'

/** One rule of the guard. */
export interface GuardRule {
  readonly name: string
  readonly by: Block['what']
  /** So many failed logins ... */
  readonly failures: number
  /** ... within this time ... */
  readonly withinMs: number
  /** ... have this effect ... */
  readonly effect: Block['effect']
  /** ... for this long. */
  readonly forMs: number
  /** How long each attempt waits. */
  readonly delayMs: number
}
/** What its entry in the configuration says. */
export interface GuardSettings {
  readonly rules: readonly GuardRule[]
  readonly allow: readonly string[]
  readonly allowUsers: readonly string[]
  readonly dryRun: boolean
  readonly ipv4Bits: number
  readonly ipv6Bits: number
  readonly entries: number
}
interface Failures {
  /** Times of the last failures, oldest first; never more than the rule counts. */
  readonly times: number[]
  until: number
  evidence: string
}
/** Refusals that are guesses; a throttled attempt is none, or a block would never end. */
const COUNTED: ReadonlySet<Refusal['kind']> = new Set(['wrong-password', 'unknown-user', 'malformed', 'disabled'])
/** Logins that wait at one time; more than these are refused instead, so that waiting costs an attacker and not the server. */
const MOST_WAITING = 1000

/**
 * Counts failed logins of users, addresses and networks, and makes further ones wait or fails them unasked. What it does is in the log with
 * rule, evidence and end, and can be taken back (`mailwright blocks`). Memory is bounded: the oldest entry goes first.
 */
export class Guard implements LoginPolicy {
  readonly blocks: BlockList
  readonly #settings: GuardSettings
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #isAllowed: (address: string) => boolean
  readonly #allowUsers: ReadonlySet<string>
  readonly #records = new Map<string, Failures>()
  #waiting = 0

  constructor(settings: GuardSettings, clock: Clock, logger: Logger) {
    this.#settings = settings
    this.#clock = clock
    this.#logger = logger
    this.#isAllowed = inNetworks(settings.allow)
    this.#allowUsers = new Set(settings.allowUsers.map((user) => user.toLowerCase()))
    this.blocks = { list: () => this.#list(), clear: (key) => this.#clear(key) }
  }

  async before(user: string, peer: PeerFacts, signal: AbortSignal): Promise<Admission> {
    if (this.#isExempt(user, peer)) return { kind: 'allow' }
    const now = this.#clock.now()
    const active = this.#settings.rules.filter((rule) => (this.#records.get(idOf(rule, this.#keyOf(rule, user, peer)))?.until ?? 0) > now)
    if (this.#settings.dryRun || active.length === 0) return { kind: 'allow' }
    const delayMs = Math.max(...active.map((rule) => (rule.effect === 'delay' ? rule.delayMs : 0)))
    if (active.some((rule) => rule.effect === 'refuse') || (delayMs > 0 && this.#waiting >= MOST_WAITING)) return { kind: 'refuse', refusal: { kind: 'throttled' } }
    await this.#wait(delayMs, signal)
    return { kind: 'allow' }
  }

  failed(user: string, refusal: Refusal, peer: PeerFacts): void {
    if (!COUNTED.has(refusal.kind) || this.#isExempt(user, peer)) return
    for (const rule of this.#settings.rules) this.#count(rule, this.#keyOf(rule, user, peer))
  }

  #isExempt(user: string, peer: PeerFacts): boolean {
    return this.#isAllowed(peer.address) || this.#allowUsers.has(user.toLowerCase())
  }

  #keyOf(rule: GuardRule, user: string, peer: PeerFacts): string {
    if (rule.by === 'user') return user.toLowerCase()
    // Whoever has one address of IPv6 has the 2^64 beside it.
    if (rule.by === 'address') return peer.address.includes(':') ? networkOf(peer.address, { ipv4: 32, ipv6: 64 }) : peer.address
    return networkOf(peer.address, { ipv4: this.#settings.ipv4Bits, ipv6: this.#settings.ipv6Bits })
  }

  #count(rule: GuardRule, key: string): void {
    const now = this.#clock.now()
    const id = idOf(rule, key)
    const record = this.#records.get(id) ?? { times: [], until: 0, evidence: '' }
    // Taken out first, so that the order of the map is that of the last failure.
    this.#records.delete(id)
    this.#records.set(id, record)
    record.times.push(now)
    while (record.times.length > rule.failures || (record.times[0] ?? now) <= now - rule.withinMs) record.times.shift()
    if (record.times.length >= rule.failures) {
      const isNew = record.until <= now
      record.until = now + rule.forMs
      record.evidence = `${record.times.length} failed logins within ${seconds(now - (record.times[0] ?? now))}`
      if (isNew) this.#logger.warn('login guard', { rule: rule.name, [rule.by]: key, effect: rule.effect, evidence: record.evidence, until: new Date(record.until).toISOString(), dryRun: this.#settings.dryRun })
    }
    if (this.#records.size > this.#settings.entries) {
      for (const oldest of this.#records.keys()) {
        this.#records.delete(oldest)
        break
      }
    }
  }

  #list(): readonly Block[] {
    const now = this.#clock.now()
    return [...this.#records].flatMap(([id, record]): Block[] => {
      const [name, key = ''] = id.split('\0')
      const rule = this.#settings.rules.find((one) => one.name === name)
      if (rule === undefined || record.until <= now) return []
      return [{ rule: rule.name, what: rule.by, key, effect: rule.effect, evidence: record.evidence, until: record.until, dryRun: this.#settings.dryRun }]
    })
  }

  #clear(key: string | undefined): number {
    const cleared = this.#list().filter((block) => key === undefined || block.key === key.toLowerCase())
    for (const id of this.#records.keys()) if (key === undefined || id.split('\0')[1] === key.toLowerCase()) this.#records.delete(id)
    for (const block of cleared) this.#logger.info('login guard cleared', { rule: block.rule, [block.what]: block.key })
    return cleared.length
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    this.#waiting++
    let timer: Disposable | undefined
    let onAbort: (() => void) | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        onAbort = () => reject(new MailError('cancelled', 'the session ended while it was made to wait'))
        if (signal.aborted) onAbort()
        else signal.addEventListener('abort', onAbort, { once: true })
        timer = this.#clock.after(ms, resolve)
      })
    } finally {
      this.#waiting--
      timer?.[Symbol.dispose]()
      if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
    }
  }
}

function idOf(rule: GuardRule, key: string): string {
  return `${rule.name}\0${key}`
}
function seconds(ms: number): string {
  return ms < 60_000 ? `${Math.ceil(ms / 1000)}s` : `${Math.ceil(ms / 60_000)}m`
}
