import type { Socket } from 'node:net'
import { StartFailure } from '../../api/index.js'
import type { Logger, Problem, Role } from '../../api/index.js'
import type { ConfigPlan } from '../../config/plan/types.js'
import type { Identity } from '../../processes/privileges.js'
import { adopt } from '../../processes/sockets.js'
import { decodeLogin } from '../../processes/values.js'
import type { Place } from '../connections.js'
import type { ControlAnswer } from '../control.js'
import { accountIdentity } from './accounts.js'
import { assignerOf } from './assignment.js'
import { ServerProcess } from './child-process.js'
import { DeliveryDesk } from './delivery-desk.js'
import { environmentFor } from './environment.js'
import type { ConfigOrigin, FromChild } from './messages.js'
import { UserProcesses } from './user-processes.js'

/** A session that was admitted and is not asked for yet. */
interface Grant {
  readonly session: string
  readonly host: string
  readonly login: unknown
  readonly timer: NodeJS.Timeout
}
/** Ids of the processes; undefined: those of this one. */
interface Identities {
  readonly front: Identity | undefined
  readonly auth: Identity | undefined
  readonly shared: Identity | undefined
}
/** From the login's answer to its handover. */
const GRANT_MS = 60_000
const RESTART_MS = { first: 250, most: 30_000 }
const FRONT_ACCOUNTS = ['mailwright', 'nobody']
const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** The processes of one configuration: a front, an authenticator, and those of the users. */
export class Generation {
  readonly #plan: ConfigPlan
  readonly #origin: ConfigOrigin
  readonly #logger: Logger
  readonly #pipes: string
  readonly #identities: Identities
  readonly #users: UserProcesses
  readonly #desk: DeliveryDesk
  readonly #grants = new Map<string, Grant>()
  readonly #answers = new Map<number, (answer: ControlAnswer) => void>()
  #asked = 0
  #front: ServerProcess | undefined
  #auth: ServerProcess | undefined
  /** Connections that the front has. */
  #load = 0
  #ending = false
  /** New connections go to another generation. */
  #retired = false
  #empty: (() => void) | undefined

  private constructor(plan: ConfigPlan, origin: ConfigOrigin, logger: Logger, pipes: string, delivers: () => boolean, identities: Identities) {
    this.#plan = plan
    this.#origin = { ...origin, machine: plan.server.name }
    this.#logger = logger
    this.#pipes = pipes
    this.#identities = identities
    const { spare, idleMs } = plan.processes
    const assigner = assignerOf(plan, identities.shared, process.getuid?.())
    if (assigner === undefined) throw new TypeError('one process needs no others')
    this.#users = new UserProcesses({
      // Workers are there already.
      spare: assigner.always.length > 0 ? 0 : spare,
      idleMs,
      assigner,
      start: { config: this.#origin },
      env: this.#environment('mail'),
      logger,
      tune: (session, octets) => void this.#front?.send({ kind: 'tune', session, octets }),
      log: (message, from) => this.#write(message, from),
      ended: (session) => {
        if (this.#desk.has(session)) this.#desk.ended(session)
        else void this.#auth?.send({ kind: 'session-ended', session })
      },
      opened: (session, failure) => {
        if (this.#desk.has(session)) this.#desk.opened(session, failure)
        else void this.#front?.send({ kind: 'opened', session, ...(failure === undefined ? {} : { failure }) })
      },
      delivered: (session, failure) => this.#desk.answered(session, failure),
    })
    this.#desk = new DeliveryDesk({
      logger,
      delivers: () => !this.#ending && delivers(),
      toFront: (message) => void this.#front?.send(message),
      toAuth: (message) => this.#auth?.send(message) ?? Promise.resolve(false),
      open: (user, message) => this.#users.open(user, message),
      serve: (message, socket) => this.#users.serve(message, socket),
    })
  }

  /**
   * @param delivers whether any listener takes mail.
   * @throws StartFailure; no process stays then.
   */
  static async start(plan: ConfigPlan, origin: ConfigOrigin, logger: Logger, pipes: string, delivers: () => boolean): Promise<Generation> {
    const generation = new Generation(plan, origin, logger, pipes, delivers, await identitiesOf(plan))
    try {
      await Promise.all([generation.#startPart('auth'), generation.#startPart('front')])
      return generation
    } catch (error) {
      await generation.stop(0)
      throw error
    }
  }

  /** Connections and sessions. */
  get open(): number {
    return this.#load + this.#users.sessions
  }

  accept(socket: Socket, place: Place): void {
    const front = this.#front
    if (front === undefined) {
      socket.destroy()
      return
    }
    this.#load += 1
    void front.send({ kind: 'connection', place }, socket)
  }

  /** The authenticator's policies keep people out. */
  blocks(request: `blocks ${string}`): Promise<ControlAnswer> {
    const none: ControlAnswer = { ok: false, text: 'the authenticator is not there' }
    const auth = this.#auth
    if (auth === undefined) return Promise.resolve(none)
    const id = ++this.#asked
    return new Promise((resolve) => {
      this.#answers.set(id, (answer) => {
        this.#answers.delete(id)
        resolve(answer)
      })
      void Promise.race([auth.send({ kind: 'blocks', id, request }).then((sent) => (sent ? new Promise(() => undefined) : undefined)), auth.exited]).then(() => this.#answers.get(id)?.(none))
    })
  }

  /** Gets no new connections; resolves when the last one has ended and its processes with it. */
  async retire(): Promise<void> {
    this.#retired = true
    if (this.#load > 0) {
      await new Promise<void>((resolve) => {
        this.#empty = resolve
      })
    }
    const front = this.#front
    this.#front = undefined
    await Promise.all([this.#users.retire(), front?.stop(0)])
    this.#ending = true
    await this.#auth?.stop(0)
  }
  async stop(withinMs: number): Promise<void> {
    this.#ending = true
    for (const { timer } of this.#grants.values()) clearTimeout(timer)
    this.#grants.clear()
    // The front carries octets of sessions under TLS, so it ends after those who serve them.
    await this.#users.stop(withinMs)
    await this.#front?.stop(Math.min(withinMs, 1000))
    await this.#auth?.stop(0)
    this.#empty?.()
  }

  async #startPart(role: 'front' | 'auth', waitMs = RESTART_MS.first): Promise<void> {
    const made = ServerProcess.spawn(this.#environment(role), true, (message, socket) => {
      if (role === 'front') this.#hearFront(message, socket)
      else this.#hearAuth(message)
    })
    const begun = Date.now()
    await made.start({ kind: 'start', role, config: this.#origin, identity: this.#identities[role], pipes: this.#pipes })
    if (!this.#needs(role)) return await made.stop(0)
    if (role === 'front') this.#front = made
    else this.#auth = made
    void made.exited.then((how) => this.#lost(role, made, how, Date.now() - begun > RESTART_MS.most ? RESTART_MS.first : waitMs))
  }
  /** A front or an authenticator that ends by itself is started again; nobody's session hangs on the authenticator. */
  #lost(role: 'front' | 'auth', process: ServerProcess, how: string, waitMs: number): void {
    if (this.#ending || process !== (role === 'front' ? this.#front : this.#auth)) return
    const again = this.#needs(role)
    this.#logger.error(`the ${role} process ended${again ? ' and is started again' : ''}`, { by: how })
    if (role === 'front') {
      this.#front = undefined
      this.#desk.frontLost()
      this.#load = 0
      this.#empty?.()
    } else {
      this.#auth = undefined
      this.#desk.authLost()
      void this.#front?.send({ kind: 'auth-lost' })
    }
    if (!again) return
    setTimeout(() => {
      if (!this.#needs(role)) return
      const next = Math.min(waitMs * 2, RESTART_MS.most)
      this.#startPart(role, next).catch((error: unknown) => {
        this.#logger.error(`the ${role} process cannot be started`, { error })
        setTimeout(() => void this.#startPart(role, next).catch(() => undefined), next).unref()
      })
    }, waitMs).unref()
  }

  /** Who is retired needs no front to be started: nobody comes any more. */
  #needs(role: 'front' | 'auth'): boolean {
    return !this.#ending && !(this.#retired && role === 'front')
  }

  #hearFront(message: FromChild, socket: Socket | undefined): void {
    // The front has no rights and may have been taken over by a client: what it says is a wish.
    switch (message.kind) {
      case 'log':
        return this.#write(message, 'front')
      case 'auth':
        return void this.#ask(message.body)
      case 'load':
        this.#load = Math.max(0, this.#load - 1)
        if (this.#load === 0) this.#empty?.()
        return
      case 'open':
        return void this.#open(message)
      case 'recipient':
        return void this.#desk.recipient(message)
      case 'forget':
        return this.#desk.forget(message.id)
      case 'deliver':
        if (socket !== undefined) void this.#desk.deliver(message, adopt(socket))
        return
      case 'session':
        // Adopted in the turn in which it comes: it reads already, and the octets are the user's process's.
        if (socket !== undefined) this.#pass(message, adopt(socket))
        return
      default:
        socket?.destroy()
    }
  }
  async #ask(body: unknown): Promise<void> {
    if (this.#auth === undefined || !(await this.#auth.send({ kind: 'auth', body }))) await this.#front?.send({ kind: 'auth-lost' })
  }
  #hearAuth(message: FromChild): void {
    if (message.kind === 'log') this.#write(message, 'auth')
    else if (message.kind === 'auth') void this.#front?.send({ kind: 'auth', body: message.body })
    else if (message.kind === 'recipient-found') this.#desk.found(message)
    else if (message.kind === 'blocks') this.#answers.get(message.id)?.(message.answer)
    else if (message.kind === 'grant') {
      const { token, session, host, login } = message
      const timer = setTimeout(() => {
        this.#grants.delete(token)
        this.#users.abandon(session)
        void this.#auth?.send({ kind: 'session-ended', session })
      }, GRANT_MS)
      this.#grants.set(token, { session, host, login, timer })
    }
  }

  async #open({ token, session }: Extract<FromChild, { kind: 'open' }>): Promise<void> {
    const grant = this.#granted(token, session)
    const failure = grant === undefined ? { text: 'nobody was admitted' } : await this.#users.open(decodeLogin(grant.login).user, { kind: 'open', session, host: grant.host, login: grant.login })
    if (failure !== undefined) void this.#front?.send({ kind: 'opened', session, failure })
  }

  /** Whose a session is, and on which host, is the authenticator's word; the front only names the word that it was given. */
  #pass(message: Extract<FromChild, { kind: 'session' }>, socket: Socket): void {
    const grant = this.#granted(message.token, message.session)
    if (grant === undefined) {
      socket.destroy()
      return
    }
    clearTimeout(grant.timer)
    this.#grants.delete(message.token)
    const { session, protocol, half } = message
    this.#users.serve({ kind: 'session', session, host: grant.host, protocol, login: grant.login, half }, socket)
  }

  #granted(token: string, session: string): Grant | undefined {
    const grant = this.#grants.get(token)
    if (grant?.session === session) return grant
    this.#logger.error('a session was asked for that nobody was admitted to', { session })
    return undefined
  }

  #environment(role: Role): NodeJS.ProcessEnv {
    return environmentFor(role, [this.#plan.process.said, ...this.#plan.hosts.map((host) => host.said)], process.env)
  }
  #write({ level, event, facts }: Extract<FromChild, { kind: 'log' }>, _from: string): void {
    if (!LEVELS.includes(level)) return
    this.#logger[level](String(event), typeof facts === 'object' && facts !== null ? facts : {})
  }
}

/** Accounts of the processes; nothing where this one is not root, since ids cannot be changed then. */
async function identitiesOf(plan: ConfigPlan): Promise<Identities> {
  if (process.getuid?.() !== 0) return { front: undefined, auth: undefined, shared: undefined }
  const problems: Problem[] = []
  const named = async (key: 'frontUser' | 'authUser' | 'mailUser', name: string): Promise<Identity | undefined> => {
    const found = await accountIdentity(name)
    if (found === undefined) problems.push({ code: 'PRC_NO_ACCOUNT', severity: 'error', path: `processes.${key}`, message: `there is no account "${name}" on this machine`, hint: 'create it ("useradd --system"), or name another' })
    else if (found.uid === 0 && key !== 'authUser') problems.push({ code: 'PRC_ROOT_ACCOUNT', severity: 'error', path: `processes.${key}`, message: `"${name}" has all rights, which this process must not have`, hint: 'name an account that has none' })
    return found
  }
  const { frontUser, authUser, mailUser } = plan.processes
  let front = frontUser === undefined ? undefined : await named('frontUser', frontUser)
  if (frontUser === undefined) for (const name of FRONT_ACCOUNTS) front ??= await accountIdentity(name)
  if (front === undefined && problems.length === 0) problems.push({ code: 'PRC_NO_ACCOUNT', severity: 'error', path: 'processes.frontUser', message: `there is neither an account "${FRONT_ACCOUNTS.join('" nor "')}"`, hint: 'name one that has no rights' })
  const auth = authUser === undefined ? undefined : await named('authUser', authUser)
  const shared = mailUser === undefined ? undefined : await named('mailUser', mailUser)
  if (problems.length > 0) throw new StartFailure(problems)
  return { front, auth, shared }
}
