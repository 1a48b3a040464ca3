import type { Socket } from 'node:net'
import { StartFailure } from '../../api/index.js'
import type { Logger, MailUser } from '../../api/index.js'
import type { Assigner, Assignment } from './assignment.js'
import { ServerProcess } from './child-process.js'
import type { Failure, FromChild, StartMessage, ToChild } from './messages.js'

type Session = Extract<ToChild, { kind: 'session' | 'delivery' }>
interface UserProcess {
  readonly key: string
  readonly process: ServerProcess
  readonly ready: Promise<void>
  readonly sessions: Set<string>
  idle: NodeJS.Timeout | undefined
}
/** A session whose mail is being opened. */
interface Opening {
  readonly user: MailUser
  readonly message: Extract<ToChild, { kind: 'open' }>
  /** The process before this one ended over it, or of itself. */
  readonly isRepeated: boolean
  /** The process has been told. */
  told: boolean
}

/** What decides about the processes of users. */
export interface UserProcessOptions {
  readonly spare: number
  readonly idleMs: number
  readonly assigner: Assigner
  readonly start: Pick<StartMessage, 'config'>
  readonly env: NodeJS.ProcessEnv
  readonly logger: Logger
  readonly tune: (session: string, octets: number) => void
  readonly log: (message: Extract<FromChild, { kind: 'log' }>, from: string) => void
  /** A session is over, however it came about. */
  readonly ended: (session: string) => void
  readonly opened: (session: string, failure: Failure | undefined) => void
  /** What became of a message. */
  readonly delivered: (session: string, failure: Failure | undefined) => void
}

/** The processes that have the mail. All sessions of a user are in one; whether it serves others too is the assigner's affair. */
export class UserProcesses {
  readonly #options: UserProcessOptions
  readonly #running = new Map<string, UserProcess>()
  /** Ended for its user, but not over yet. */
  readonly #leaving = new Set<Promise<void>>()
  readonly #spare: ServerProcess[] = []
  /** Where a session is. */
  readonly #of = new Map<string, UserProcess>()
  readonly #opening = new Map<string, Opening>()
  readonly #hearers = new Map<ServerProcess, (message: FromChild) => void>()
  #closed = false

  constructor(options: UserProcessOptions) {
    this.#options = options
    for (const one of options.assigner.always) this.#begin(one)
    this.#fill()
  }

  get sessions(): number {
    let open = 0
    for (const { sessions } of this.#running.values()) open += sessions.size
    return open
  }

  /**
   * Has the user's process, which is started when there is none, open the mail of a session. What it says comes by `opened`; a failure before that is returned.
   * A process that ends before it has answered is replaced once: it may have been at its end when the session came.
   */
  open(user: MailUser, message: Extract<ToChild, { kind: 'open' }>): Promise<Failure | undefined> {
    return this.#open({ user, message, isRepeated: false, told: false })
  }
  async #open(opening: Opening): Promise<Failure | undefined> {
    const { logger, ended } = this.#options
    const { user, message, isRepeated } = opening
    const { session } = message
    // A process that began now would be nobody's to end.
    if (this.#closed) return { problem: 'unavailable', text: 'not available now' }
    const who = this.#options.assigner.of(user)
    if (typeof who === 'string') {
      logger.error('a session cannot be served', { user: user.name, text: who })
      return { problem: 'unavailable', text: 'not available' }
    }
    const of = this.#running.get(who.key) ?? this.#begin(who)
    clearTimeout(of.idle)
    of.idle = undefined
    of.sessions.add(session)
    this.#of.set(session, of)
    this.#opening.set(session, opening)
    try {
      await of.ready
      const sent = await of.process.send(message)
      if (!sent || of.process.over) await of.process.exited
      if (of.process.over) throw new Error('the process has ended')
      opening.told = true
      return undefined
    } catch (error) {
      of.sessions.delete(session)
      this.#of.delete(session)
      this.#opening.delete(session)
      if (of.process.over && !(error instanceof StartFailure) && !isRepeated && !this.#closed) return await this.#open({ ...opening, isRepeated: true, told: false })
      ended(session)
      logger.error('the process of a user cannot be had', { user: user.name, error })
      return { problem: 'unavailable', text: 'not available now' }
    }
  }
  /** Gives a session whose mail is open, or a message for it, to its user's process. */
  serve(message: Session, socket: Socket): void {
    const of = this.#of.get(message.session)
    if (of === undefined) socket.destroy()
    else void of.process.send(message, socket)
  }
  /** The session will not come. */
  abandon(session: string): void {
    const of = this.#of.get(session)
    if (of === undefined) return
    this.#opening.delete(session)
    void of.process.send({ kind: 'abandoned', session })
    this.#ended(of, session)
  }

  /** No new sessions come; resolves when the last has ended. */
  async retire(): Promise<void> {
    this.#close()
    for (const of of this.#running.values()) if (of.sessions.size === 0) this.#end(of)
    await Promise.all([...[...this.#running.values()].map((of) => of.process.exited), ...this.#leaving])
  }
  /** Ends all of them within the time. */
  async stop(withinMs: number): Promise<void> {
    this.#close()
    await Promise.all([...[...this.#running.values()].map((of) => of.process.stop(withinMs)), ...this.#leaving])
  }
  #close(): void {
    this.#closed = true
    for (const process of this.#spare.splice(0)) void process.stop(0)
  }

  #begin({ key, identity, account }: Assignment): UserProcess {
    const process = this.#spare.shift() ?? this.#spawn()
    const ready = process.start({ kind: 'start', role: 'mail', ...this.#options.start, identity, account })
    // Whoever waits for it is told; nobody else need be.
    ready.catch(() => undefined)
    const of: UserProcess = { key, process, ready, sessions: new Set(), idle: undefined }
    this.#running.set(key, of)
    this.#hearers.set(process, (message) => {
      if (message.kind === 'log') this.#options.log(message, account.name)
      else if (message.kind === 'tune') this.#options.tune(message.session, message.octets)
      else if (message.kind === 'ended') this.#ended(of, message.session)
      else if (message.kind === 'delivered' && of.sessions.has(message.session)) this.#options.delivered(message.session, message.failure)
      else if (message.kind === 'opened') {
        this.#opening.delete(message.session)
        this.#options.opened(message.session, message.failure)
        if (message.failure !== undefined) this.#ended(of, message.session)
      }
    })
    void process.exited.then((how) => {
      clearTimeout(of.idle)
      this.#hearers.delete(process)
      if (this.#running.get(key) === of) {
        this.#running.delete(key)
        if (!this.#closed) this.#options.logger.error('the process of a user ended', { user: account.name, sessions: of.sessions.size, by: how })
      }
      for (const session of of.sessions) this.#orphaned(session)
    })
    this.#fill()
    return of
  }

  /** The process of a session is gone. */
  #orphaned(session: string): void {
    const opening = this.#opening.get(session)
    // Whoever is still about to tell the process sees it.
    if (opening?.told === false) return
    const { opened, ended } = this.#options
    this.#of.delete(session)
    this.#opening.delete(session)
    if (opening === undefined || opening.isRepeated || this.#closed) {
      opened(session, { problem: 'unavailable', text: 'not available now' })
      ended(session)
      return
    }
    void this.#open({ ...opening, isRepeated: true, told: false }).then((failure) => (failure === undefined ? undefined : opened(session, failure)))
  }
  #ended(of: UserProcess, session: string): void {
    this.#of.delete(session)
    this.#opening.delete(session)
    if (of.sessions.delete(session)) this.#options.ended(session)
    if (of.sessions.size > 0) return
    if (this.#closed) this.#end(of)
    else if (!this.#options.assigner.always.some(({ key }) => key === of.key)) {
      clearTimeout(of.idle)
      of.idle = setTimeout(() => this.#end(of), this.#options.idleMs)
    }
  }
  #end(of: UserProcess): void {
    if (this.#running.get(of.key) === of) this.#running.delete(of.key)
    const gone: Promise<void> = of.process.stop(0).finally(() => this.#leaving.delete(gone))
    this.#leaving.add(gone)
  }

  /** Processes that wait for their user: turning one into a user's costs milliseconds, starting one a hundred. */
  #fill(): void {
    while (!this.#closed && this.#spare.length < this.#options.spare) this.#spare.push(this.#spawn())
  }
  #spawn(): ServerProcess {
    const made: ServerProcess = ServerProcess.spawn(this.#options.env, this.#options.assigner.always.length > 0, (message) => this.#hearers.get(made)?.(message))
    void made.exited.then(() => {
      const at = this.#spare.indexOf(made)
      if (at !== -1) this.#spare.splice(at, 1)
    })
    return made
  }
}
