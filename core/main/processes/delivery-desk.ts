import type { Socket } from 'node:net'
import type { Logger, MailUser } from '../../api/index.js'
import { decodeLogin } from '../../processes/values.js'
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
 * Messages on their way from the front to the processes of their users. A delivery is named like a session, and the user's process opens the
 * mail for it in the same way; whose an address is, is the authenticator's word.
 */
export class DeliveryDesk {
  readonly #parts: DeskParts
  /** Address by the delivery's id, until the authenticator has answered. */
  readonly #asked = new Map<string, string>()
  readonly #noted = new Map<string, Noted>()
  readonly #underWay = new Map<string, UnderWay>()

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** Messages whose delivery is not answered. */
  get size(): number {
    return this.#underWay.size
  }
  /** Whether a session's name is that of a delivery. */
  has(id: string): boolean {
    return this.#underWay.has(id)
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
    this.#underWay.set(id, { noted, wanted, socket })
    const failure = await this.#parts.open(decodeLogin(noted.login).user, { kind: 'open', session: id, host: noted.host, login: noted.login })
    if (failure !== undefined) this.answered(id, failure)
  }
  /** The user's process has opened the mail, or says why not. */
  opened(id: string, failure: Failure | undefined): void {
    const one = this.#underWay.get(id)
    if (one === undefined) return
    if (failure !== undefined) return this.answered(id, failure)
    const { noted, wanted, socket } = one
    const { address, folder } = noted
    this.#parts.serve({ kind: 'delivery', session: id, parcel: { address, folder, sender: wanted.sender, createFolder: wanted.createFolder }, octets: wanted.octets }, socket)
  }
  /** What became of it; the second word about one is not heard. */
  answered(id: string, failure: Failure | undefined): void {
    const one = this.#underWay.get(id)
    if (one === undefined) return
    this.#underWay.delete(id)
    // Sent to the process that had it, or not needed there.
    one.socket.destroy()
    this.#parts.toFront({ kind: 'delivered', id, ...(failure === undefined ? {} : { failure }) })
  }
  /** The process that had it has no more to do with it. */
  ended(id: string): void {
    this.answered(id, UNAVAILABLE)
  }

  #unknown(id: string, failure: Failure): void {
    this.#asked.delete(id)
    this.#parts.toFront({ kind: 'recipient-found', id, failure })
  }
}
