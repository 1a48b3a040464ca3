import { DEFAULT_TWEAKS, MailError, ProtocolAbort } from '../../api/index.js'
import type { Logger, MailDelivery, MailUser, Protocol } from '../../api/index.js'
import type { HostView } from '../../kernel/kernel.js'
import type { ByteLink } from '../../net/byte-link.js'
import type { Channel } from '../../processes/channel.js'
import { pump } from '../../processes/pump.js'
import type { SocketPairs } from '../../processes/sockets.js'
import { encodeHalf } from '../../processes/values.js'
import { OpeningGate } from '../opening-gate.js'
import { newSessionId } from '../session-id.js'
import { protocolOf } from '../sessions.js'
import type { HostFinder, Sessions } from '../sessions.js'
import { errorOf } from './failures.js'
import type { Failure, FromChild, ToChild } from './messages.js'
import { GateCalls, RemoteGate } from './remote-gate.js'

/** What a front needs. */
export interface FrontParts {
  readonly hostOf: HostFinder
  readonly calls: GateCalls
  readonly channel: Pick<Channel<ToChild, FromChild>, 'send'>
  readonly pairs: SocketPairs
  readonly delivery: MailDelivery
  readonly logger: Logger
}

/**
 * Sessions up to the login. Whoever comes in is served by the process of the user: a connection in clear is handed over whole, one under
 * TLS or another layer is carried there and back, since a layer cannot change processes.
 */
export class FrontSessions implements Sessions {
  readonly #parts: FrontParts
  /** Links whose octets pass through here. */
  readonly #carried = new Map<string, ByteLink>()
  readonly #opening = new Map<string, { readonly resolve: () => void; readonly reject: (reason: Error) => void }>()

  constructor(parts: FrontParts) {
    this.#parts = parts
  }

  async run(link: ByteLink, protocol: string): Promise<'ended' | 'again'> {
    const { host, entry } = this.#entry(link, protocol)
    using _hold = host.hold()
    const remote = new RemoteGate(this.#parts.calls, link.signal)
    // A client that hears OK has its mail: the user's process opens it first.
    const gate = new OpeningGate(remote, (login) => this.#open(link, remote.tokenOf(login)), link.hops)
    await remote.learn(link.peer)
    link.whenSecured((peer) => remote.learn(peer))
    let passed = false
    try {
      const from = await entry.greet(link, gate, DEFAULT_TWEAKS, this.#parts.delivery)
      if (from === undefined) return 'ended'
      const token = remote.tokenOf(from.login)
      if (token === undefined) throw new ProtocolAbort(undefined, 'somebody came in whom the authenticator did not admit')
      link.trust({ user: from.login.user.name, host: host.id })
      passed = true
      await this.#pass(link, protocol, token, from)
      return 'ended'
    } finally {
      if (!passed && link.peer.session !== undefined) this.#parts.calls.gone(link.peer.session)
    }
  }

  preauthenticated(_link: ByteLink, _protocol: string, user: MailUser): Promise<never> {
    // A session without a login is run by a process that its user started.
    return Promise.reject(new Error(`${user.name} has a process of their own`))
  }

  /** Limits that the serving process found out for the client. */
  tune(session: string, octets: number): void {
    this.#carried.get(session)?.tune({ maxWriteOctets: octets })
  }

  /** The user's process has opened the mail of a session, or says why not. */
  opened(session: string, failure: Failure | undefined): void {
    const waiting = this.#opening.get(session)
    this.#opening.delete(session)
    if (failure === undefined) waiting?.resolve()
    else waiting?.reject(errorOf(failure))
  }

  async #open(link: ByteLink, token: string | undefined): Promise<void> {
    const { session } = link.peer
    if (session === undefined || token === undefined) throw new MailError('unavailable', 'the authenticator admitted nobody')
    const done = new Promise<void>((resolve, reject) => {
      this.#opening.set(session, { resolve, reject })
    })
    const lost = (): void => this.opened(session, { problem: 'cancelled', text: 'the client is gone' })
    link.signal.addEventListener('abort', lost, { once: true })
    try {
      if (!(await this.#parts.channel.send({ kind: 'open', token, session }))) throw new MailError('unavailable', 'no process can be had')
      await done
    } finally {
      link.signal.removeEventListener('abort', lost)
    }
  }

  async #pass(link: ByteLink, protocol: string, token: string, from: Parameters<typeof encodeHalf>[0]): Promise<void> {
    const { channel, pairs, logger } = this.#parts
    const session = link.peer.session ?? newSessionId()
    const half = (unread: Uint8Array): FromChild => ({ kind: 'session', token, session, protocol, half: encodeHalf({ ...from, unread }) })
    const given = await link.handOver()
    if (given !== undefined) {
      if (!(await channel.send(half(Buffer.concat([from.unread, given.unread])), given.socket))) logger.error('a session could not be handed over', { session })
      return
    }
    const { near, far } = await pairs.make()
    this.#carried.set(session, link)
    try {
      if (await channel.send(half(from.unread), far)) await pump(link, near)
      else near.destroy()
    } finally {
      this.#carried.delete(session)
    }
  }

  #entry(link: ByteLink, protocol: string): { host: HostView; entry: Protocol } {
    const { localAddress, tls } = link.peer
    const host = this.#parts.hostOf({ localAddress, serverName: tls?.serverName })
    const found = protocolOf(host, protocol)
    if (found === undefined) throw new Error(`host ${host.id} does not serve ${protocol}`)
    return { host, entry: found.made }
  }
}
