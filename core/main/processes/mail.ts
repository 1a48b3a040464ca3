import type { Socket } from 'node:net'
import { ConnectionLost, DEFAULT_TWEAKS, MailError, SPOOL, observers, transportLayers } from '../../api/index.js'
import type { Logger, MailAccess, PeerFacts } from '../../api/index.js'
import type { ConfigPlan, ConfigSource } from '../../config/plan/types.js'
import type { HostView, Kernel } from '../../kernel/kernel.js'
import { ByteLink } from '../../net/byte-link.js'
import type { LinkOptions } from '../../net/byte-link.js'
import { SocketTransport } from '../../net/socket-transport.js'
import type { Channel } from '../../processes/channel.js'
import { adopt } from '../../processes/sockets.js'
import { decodeHalf, decodeLogin } from '../../processes/values.js'
import { hopsOf } from '../../session/watch/hops.js'
import { deliverInto } from '../delivery/incoming.js'
import { openedMail } from '../opened-mail.js'
import { protocolOf } from '../sessions.js'
import { watchedMail } from '../watched-mail.js'
import { failureOf } from './failures.js'
import type { FromChild, ToChild } from './messages.js'

const WRITE_STALL_MS = 5 * 60_000
type SessionMessage = Extract<ToChild, { kind: 'session' }>
type DeliveryMessage = Extract<ToChild, { kind: 'delivery' }>

/** A link whose TLS, if any, is in another process, which is told what the session finds out for it. */
class ServedLink extends ByteLink {
  readonly #tune: (octets: number) => void
  constructor(socket: Socket, peer: PeerFacts, options: LinkOptions, tune: (octets: number) => void) {
    super(new SocketTransport(socket, { writeStallMs: WRITE_STALL_MS }), peer, options)
    this.#tune = tune
  }
  override tune(limits: { readonly maxWriteOctets?: number }): void {
    if (limits.maxWriteOctets !== undefined) this.#tune(limits.maxWriteOctets)
  }
}

/** The mail of a session, opened before the client heard that it is in. */
interface Opened {
  readonly host: HostView
  readonly hold: Disposable
  readonly mail: MailAccess & AsyncDisposable
  /** Aborted when its client is gone. */
  readonly gone: AbortController
}

/** The sessions of one user, after the login. */
export class MailSessions {
  readonly #kernel: Kernel<ConfigPlan>
  readonly #channel: Channel<ToChild, FromChild>
  readonly #logger: Logger
  /** Only hosts of which somebody came are up. */
  readonly #only: (hosts: ReadonlySet<string>) => ConfigSource
  readonly #hosts: Set<string>
  readonly #stopping = new AbortController()
  readonly #open = new Map<ByteLink, Promise<void>>()
  readonly #opened = new Map<string, Opened>()
  readonly #deliveries = new Map<string, Promise<void>>()
  #adding: Promise<unknown> = Promise.resolve()

  constructor(kernel: Kernel<ConfigPlan>, channel: Channel<ToChild, FromChild>, logger: Logger, only: (hosts: ReadonlySet<string>) => ConfigSource) {
    this.#kernel = kernel
    this.#channel = channel
    this.#logger = logger
    this.#only = only
    this.#hosts = new Set(kernel.hosts.keys())
  }

  /** Opens the mail of a session that is to come. Never rejects. */
  async open({ session, host: id, login }: Extract<ToChild, { kind: 'open' }>): Promise<void> {
    const gone = new AbortController()
    try {
      const host = await this.#host(id)
      const hold = host.hold()
      try {
        const mail = await openedMail(host, decodeLogin(login).user, gone.signal)
        this.#opened.set(session, { host, hold, mail, gone })
      } catch (error) {
        hold[Symbol.dispose]()
        throw error
      }
      await this.#channel.send({ kind: 'opened', session })
    } catch (error) {
      if (!(error instanceof MailError)) this.#logger.error('the mail of a session cannot be opened', { session, error })
      await this.#channel.send({ kind: 'opened', session, failure: failureOf(error) })
    }
  }
  /** The session does not come after all. */
  async abandon(session: string): Promise<void> {
    const opened = this.#opened.get(session)
    this.#opened.delete(session)
    if (opened === undefined) return
    opened.gone.abort(new ConnectionLost('the client is gone'))
    await opened.mail[Symbol.asyncDispose]()
    opened.hold[Symbol.dispose]()
  }

  /** Takes up a session; the socket has just come and nothing was read from it. */
  accept(message: SessionMessage, socket: Socket): void {
    const { session } = message
    let link: ByteLink
    try {
      const { peer } = decodeHalf(message.half)
      const layers = (use: string): ReturnType<NonNullable<LinkOptions['layers']>> => this.#kernel.process.entries(transportLayers).find((e) => e.about.use === use)?.made
      link = new ServedLink(adopt(socket), peer, { layers, stopping: this.#stopping.signal }, (octets) => void this.#channel.send({ kind: 'tune', session, octets }))
    } catch (error) {
      socket.destroy()
      this.#logger.error('a session that was handed over makes no sense', { session, error })
      void this.#channel.send({ kind: 'ended', session })
      return
    }
    link.trust()
    const run = this.#serve(link, message).finally(() => {
      this.#open.delete(link)
      void this.#channel.send({ kind: 'ended', session })
    })
    this.#open.set(link, run)
  }

  /** A message for mail that was opened; its octets come over the socket, from which nothing was read. Resolves when it is answered; never rejects. */
  deliver(message: DeliveryMessage, socket: Socket): Promise<void> {
    const { session } = message
    const run = this.#deliver(message, socket).finally(async () => {
      socket.destroy()
      this.#deliveries.delete(session)
      await this.abandon(session)
      await this.#channel.send({ kind: 'ended', session })
    })
    this.#deliveries.set(session, run)
    return run
  }

  /** Lets sessions end by themselves, then ends them. */
  async drain(withinMs: number): Promise<void> {
    this.#stopping.abort()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs)
    })
    await Promise.race([late, Promise.all([...this.#open.values(), ...this.#deliveries.values()])])
    clearTimeout(timer)
    for (const link of this.#open.keys()) link.abort('the server stops', 'stopped')
    for (const session of this.#deliveries.keys()) this.#opened.get(session)?.gone.abort(new MailError('cancelled', 'the server stops'))
    await Promise.all([...this.#open.values(), ...this.#deliveries.values()])
    for (const session of this.#opened.keys()) await this.abandon(session)
  }

  async #deliver({ session, parcel, octets }: DeliveryMessage, socket: Socket): Promise<void> {
    try {
      const opened = this.#opened.get(session)
      if (opened === undefined) throw new Error('its mail was not opened')
      const { host, mail, gone } = opened
      gone.signal.addEventListener('abort', () => socket.destroy(), { once: true })
      await using message = await host.get(SPOOL).take({ size: octets, bytes: wholeOf(socket, octets), binary: false, system: 0, keywords: [], facts: new Map() }, gone.signal)
      await deliverInto(host, mail, parcel, message, gone.signal)
      await this.#channel.send({ kind: 'delivered', session })
    } catch (error) {
      if (!(error instanceof MailError)) this.#logger.error('a delivery failed for a reason of our own', { session, error })
      await this.#channel.send({ kind: 'delivered', session, failure: failureOf(error) })
    }
  }

  async #serve(link: ByteLink, message: SessionMessage): Promise<void> {
    const { session } = message
    const opened = this.#opened.get(session)
    // What the session says is recorded where its link began; here it is measured.
    const observed = { id: session, host: opened?.host.id ?? '', protocol: message.protocol, address: link.peer.address }
    const hops = hopsOf(this.#kernel.process.entries(observers), observed, this.#logger)
    if (hops !== undefined) link.watch({ hops })
    try {
      if (opened === undefined) throw new Error('its mail was not opened')
      const { host, mail, gone } = opened
      link.signal.addEventListener('abort', () => gone.abort(link.signal.reason), { once: true })
      const entry = protocolOf(host, message.protocol)
      if (entry === undefined) throw new Error(`host ${host.id} does not serve ${message.protocol}`)
      const half = decodeHalf(message.half)
      if (entry.made.serve === undefined) throw new Error(`${message.protocol} has no logins`)
      const after = await entry.made.serve(link, { ...half, sessionId: session, host: host.id, plan: '', login: decodeLogin(message.login) }, watchedMail(mail, link.hops), DEFAULT_TWEAKS)
      // Where the login is in another process there is no way back to it.
      if (after === 'unauthenticated') this.#logger.info('a session ends because it gave up its user', { session })
    } catch (error) {
      if (error instanceof ConnectionLost) this.#logger.debug('connection lost', { session, text: error.message })
      else this.#logger.error('session failed', { session, error })
    } finally {
      await link.close()
      hops?.close()
      await this.abandon(session)
    }
  }

  async #host(id: string): Promise<HostView> {
    if (!this.#hosts.has(id)) {
      this.#hosts.add(id)
      this.#adding = this.#adding.then(() => this.#kernel.reload(this.#only(this.#hosts)))
    }
    await this.#adding
    const host = this.#kernel.host(id)
    if (host === undefined) throw new Error(`there is no host ${id}`)
    return host
  }
}

/** @throws MailError `cancelled` when there are less octets than were announced: whoever sent them is gone. */
async function* wholeOf(socket: Socket, octets: number): AsyncGenerator<Uint8Array> {
  let came = 0
  try {
    for await (const chunk of socket) {
      // A socket without an encoding gives octets.
      const piece = chunk as Buffer
      came += piece.length
      yield piece
    }
  } catch (cause) {
    throw new MailError('cancelled', 'the message did not come whole', { cause })
  }
  if (came !== octets) throw new MailError('cancelled', 'the message did not come whole')
}
