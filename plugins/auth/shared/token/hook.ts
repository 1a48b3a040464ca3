import { MailError, type Logger, type PasswordBackend, type PeerFacts, type Secret, type UserDirectory } from 'mailwright/api'
import { CallLimit, withinTime } from '../time-limit.js'
import { runToken, type RunIds, type TokenRun } from './program.js'

/** What `token` of a backend says. */
export interface TokenSettings {
  readonly program: string
  readonly arguments: readonly string[]
  /** Services whose sessions get a token; empty: all. */
  readonly services: readonly string[]
  readonly timeoutMs: number
  readonly parallel: number
}
/** A login whose password was right. */
export interface TokenLogin {
  readonly user: string
  readonly password: Secret
  readonly peer: PeerFacts
}
interface Holder {
  /** Open logins, of all services: which of them ends is not told. */
  logins: number
  hasToken: boolean
  /** The programs of one user run one after the other. */
  turn: Promise<unknown>
}

/**
 * Tokens of a distributed file system (AFS, DFS) for the time of a session: a program of the site gets one with the password, with the ids of
 * the account, before the mail is opened, and drops it when the last session of that account has ended.
 */
export class TokenHook implements AsyncDisposable {
  readonly #settings: TokenSettings
  readonly #directories: readonly UserDirectory[]
  readonly #logger: Logger
  readonly #ownUid: () => number
  readonly #turns: CallLimit
  readonly #holders = new Map<string, Holder>()
  constructor(settings: TokenSettings, parts: { readonly directories: readonly UserDirectory[]; readonly logger: Logger; readonly ownUid?: () => number }) {
    this.#settings = settings
    this.#directories = parts.directories
    this.#logger = parts.logger
    this.#ownUid = parts.ownUid ?? (() => process.geteuid?.() ?? -1)
    this.#turns = new CallLimit(settings.parallel)
  }

  /** @throws MailError `unavailable` when there is no token to be had: the mail could not be opened. */
  async obtain({ user, password, peer }: TokenLogin, signal: AbortSignal): Promise<void> {
    const { services } = this.#settings
    await this.#inTurn(user, async (holder) => {
      holder.logins++
      if (services.length > 0 && !services.includes(peer.service)) return
      holder.hasToken = true
      try {
        const env = { SERVICE: peer.service, REMOTE: peer.address, ...(peer.session === undefined ? {} : { SESSION: peer.session }) }
        await this.#run('obtain', user, env, password, signal)
      } catch (error) {
        // It may have got one before it failed or was ended.
        await this.#letGo(user, holder)
        throw error
      }
    })
  }

  /** A login is over. */
  async released(user: string): Promise<void> {
    if (this.#holders.has(user)) await this.#inTurn(user, (holder) => this.#letGo(user, holder))
  }

  /** Drops what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(
      [...this.#holders.keys()].map((user) =>
        this.#inTurn(user, async (holder) => {
          holder.logins = Math.min(holder.logins, 1)
          await this.#letGo(user, holder)
        }),
      ),
    )
  }

  #inTurn(user: string, work: (holder: Holder) => Promise<void>): Promise<void> {
    const holder = this.#holders.get(user) ?? { logins: 0, hasToken: false, turn: Promise.resolve() }
    this.#holders.set(user, holder)
    const done = holder.turn.then(() => work(holder))
    const turn = done
      .catch(() => undefined)
      .then(() => {
        if (holder.logins === 0 && holder.turn === turn) this.#holders.delete(user)
      })
    holder.turn = turn
    return done
  }

  async #letGo(user: string, holder: Holder): Promise<void> {
    if (holder.logins === 0 || --holder.logins > 0 || !holder.hasToken) return
    holder.hasToken = false
    try {
      await this.#run('drop', user, {}, undefined, new AbortController().signal)
    } catch (error) {
      this.#logger.warn('a token is not dropped', { user, error })
    }
  }

  async #run(what: 'obtain' | 'drop', user: string, env: Readonly<Record<string, string>>, input: Secret | undefined, signal: AbortSignal): Promise<void> {
    const { program, arguments: args, timeoutMs } = this.#settings
    await withinTime(`token program ${what}`, timeoutMs, signal, async (both) => {
      const { ids, home } = await this.#identityOf(user, both)
      const run: TokenRun = { program, arguments: [...args, what], ids, env: { USER: user, LOGNAME: user, ...(home === undefined ? {} : { HOME: home }), ...env }, input }
      await this.#turns.run(both, () => runToken(run, both))
    })
  }

  /** The ids that the session of this user will have. */
  async #identityOf(user: string, signal: AbortSignal): Promise<{ readonly ids: RunIds; readonly home: string | undefined }> {
    for (const directory of this.#directories) {
      const found = await directory.find(user, signal)
      if (found === undefined) continue
      const own = this.#ownUid()
      if (found.ids?.uid === 0 || (own === 0 && found.ids === undefined)) throw new MailError('unavailable', `${JSON.stringify(user)} has no ids with which the token program could run`)
      // Without root every session has the ids of this process.
      return { ids: own === 0 ? found.ids : undefined, home: found.home }
    }
    throw new MailError('unavailable', `no directory has an account ${JSON.stringify(user)}`)
  }
}

/** A backend whose logins have a token; whoever it lets in without one is not let in. */
export function withToken<B extends PasswordBackend & AsyncDisposable & { verify: NonNullable<PasswordBackend['verify']> }>(backend: B, hook: TokenHook | undefined): B {
  if (hook === undefined) return backend
  const verify = backend.verify.bind(backend)
  const released = backend.released?.bind(backend)
  const dispose = backend[Symbol.asyncDispose].bind(backend)
  backend.verify = async (claim, peer, signal) => {
    const verdict = await verify(claim, peer, signal)
    if (verdict.kind !== 'accepted' || claim.kind !== 'password') return verdict
    try {
      await hook.obtain({ user: verdict.user, password: claim.password, peer }, signal)
    } catch (error) {
      await released?.(verdict.user)
      throw error
    }
    return verdict
  }
  backend.released = async (user) => {
    try {
      await hook.released(user)
    } finally {
      await released?.(user)
    }
  }
  backend[Symbol.asyncDispose] = async () => {
    await hook[Symbol.asyncDispose]()
    await dispose()
  }
  return backend
}
