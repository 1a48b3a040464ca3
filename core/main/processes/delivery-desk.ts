import type { Socket } from 'node:net'
import type { Logger, MailUser } from '../../api/index.js'
import { decodeLogin } from '../../processes/values.js'
import { newSessionId } from '../session-id.js'
import type { Failure, FromChild, ToChild } from './messages.js'

type Asked = Extract<FromChild, { kind: 'recipient' }>
type Wanted = Extract<FromChild, { kind: 'deliver' }>
type Found = Extract<FromChild, { kind: 'recipient-found' }>
/** A recipient whose message has not come. */
interface Noted extends NonNullable<Found['found']> {
  readonly address: string
}
interface UnderWay {
  readonly noted: Noted
  readonly wanted: Wanted
  readonly socket: Socket
}

/** What deliveries need of the processes. */
export interface DeskParts {
  readonly logger: Logger
  /** Whether any listener takes mail: a front that was taken over must not invent one. */
  readonly delivers: () => boolean
  readonly toFront: (message: ToChild) => void
  /** False: there is no authenticator. */
  readonly toAuth: (message: ToChild) => Promise<boolean>
  /** As for a session: opens the mail in the user's process, which answers by `opened`. */
  readonly open: (user: MailUser, message: Extract<ToChild, { kind: 'open' }>) => Promise<Failure | undefined>
  readonly serve: (message: Extract<ToChild, { kind: 'delivery' }>, socket: Socket) => void
}
/** Recipients of all messages that a front may have under way. */
const MOST_NOTED = 20_000
const UNAVAILABLE: Failure = { problem: 'unavailable', text: 'not available now' }

/**
 * Messages on their way from the front to the processes of their users. The user's process opens the mail for a delivery as for a session; whose
 * an address is, is the authenticator's word. The name of that session is made here and the front never hears it: a front that could choose it
 * would have the mail of a recipient opened for a login of its own.
 */
export class DeliveryDesk {
  readonly #parts: DeskParts
  /** Address by the delivery's id, until the authenticator has answered. */
  readonly #asked = new Map<string, string>()
  readonly #noted = new Map<string, Noted>()
  /** By the name of the session. */
  readonly #underWay = new Map<string, UnderWay>()

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** Messages whose delivery is not answered. */
  get size(): number {
    return this.#underWay.size
  }
  /** Whether a session is a delivery. */
  has(session: string): boolean {
    return this.#underWay.has(session)
  }

  /** The front asks whether there is such an account. */
  async recipient({ id, address, localAddress }: Asked): Promise<void> {
    if (!this.#parts.delivers()) {
      this.#parts.logger.error('mail was offered where no listener takes any', { address })
      return this.#unknown(id, UNAVAILABLE)
    }
    if (this.#asked.size + this.#noted.size >= MOST_NOTED) return this.#unknown(id, { problem: 'unavailable', text: 'too many recipients are under way' })
    this.#asked.set(id, address)
    if (!(await this.#parts.toAuth({ kind: 'recipient', id, address, localAddress }))) this.#unknown(id, UNAVAILABLE)
  }
  /** The authenticator's answer. */
  found({ id, found, failure }: Found): void {
    const address = this.#asked.get(id)
    if (address === undefined) return
    if (found === undefined) return this.#unknown(id, failure ?? UNAVAILABLE)
    this.#asked.delete(id)
    this.#noted.set(id, { ...found, address })
    this.#parts.toFront({ kind: 'recipient-found', id })
  }
  /** No message comes for it. */
  forget(id: string): void {
    this.#asked.delete(id)
    this.#noted.delete(id)
  }
  /** The authenticator is gone: nobody answers what it was asked. */
  authLost(): void {
    for (const id of this.#asked.keys()) this.#unknown(id, UNAVAILABLE)
  }
  /** The front is gone, and with it everybody who waits; what users' processes have in hand they finish. */
  frontLost(): void {
    this.#asked.clear()
    this.#noted.clear()
  }

  /** A message; its octets come over the socket, from which nothing was read. */
  async deliver(wanted: Wanted, socket: Socket): Promise<void> {
    const { id } = wanted
    const noted = this.#noted.get(id)
    this.#noted.delete(id)
    socket.on('error', () => socket.destroy())
    if (noted === undefined) {
      socket.destroy()
      return this.#parts.toFront({ kind: 'delivered', id, failure: UNAVAILABLE })
    }
    const session = newSessionId()
    this.#underWay.set(session, { noted, wanted, socket })
    const failure = await this.#parts.open(decodeLogin(noted.login).user, { kind: 'open', session, host: noted.host, login: noted.login })
    if (failure !== undefined) this.answered(session, failure)
  }
  /** The user's process has opened the mail, or says why not. */
  opened(session: string, failure: Failure | undefined): void {
    const one = this.#underWay.get(session)
    if (one === undefined) return
    if (failure !== undefined) return this.answered(session, failure)
    const { noted, wanted, socket } = one
    const { address, folder } = noted
    this.#parts.serve({ kind: 'delivery', session, parcel: { address, folder, sender: wanted.sender, createFolder: wanted.createFolder }, octets: wanted.octets }, socket)
  }
  /** What became of it; the second word about one is not heard. */
  answered(session: string, failure: Failure | undefined): void {
    const one = this.#underWay.get(session)
    if (one === undefined) return
    this.#underWay.delete(session)
    // Sent to the process that had it, or not needed there.
    one.socket.destroy()
    this.#parts.toFront({ kind: 'delivered', id: one.wanted.id, ...(failure === undefined ? {} : { failure }) })
  }
  /** The process that had it has no more to do with it. */
  ended(session: string): void {
    this.answered(session, UNAVAILABLE)
  }

  #unknown(id: string, failure: Failure): void {
    this.#asked.delete(id)
    this.#parts.toFront({ kind: 'recipient-found', id, failure })
  }
}
