import { setMaxListeners } from 'node:events'
import type { Socket } from 'node:net'
import { ConnectionLost, transportLayers } from '../api/index.js'
import type { Logger, MailUser, TransportLayerKind } from '../api/index.js'
import type { ConfigPlan, HostPlan, ListenerPlan } from '../config/plan/types.js'
import type { HostView, Kernel } from '../kernel/kernel.js'
import { inNetworks, plainAddress } from '../net/addresses.js'
import { ConnectionRate } from '../net/connection-rate.js'
import { readProxyHeader } from '../net/proxy-header.js'
import type { ProxiedEnds } from '../net/proxy-header.js'
import type { ByteLink } from '../net/byte-link.js'
import { socketLink } from '../net/socket-link.js'
import type { SocketLinkOptions } from '../net/socket-link.js'
import { TlsSetupFailure } from '../net/tls/setup-failure.js'
import { HostChoice, hostOf } from './host-choice.js'
import type { HostTls } from './host-tls.js'
import { watchOf } from './watching.js'
import { newSessionId } from './session-id.js'
import { protocolOf } from './sessions.js'
import type { HostFinder, Sessions } from './sessions.js'

/** A client that takes nothing at all for this long is given up. */
const WRITE_STALL_MS = 5 * 60_000
const HANDSHAKE_MS = 60_000
/** A proxy sends its header with the first packet. */
const PROXY_HEADER_MS = 10_000

/** What a connection needs to know of its listener. */
export type Place = Pick<ListenerPlan, 'id' | 'protocol' | 'tls'> & Partial<Pick<ListenerPlan, 'proxy' | 'rate'>>

/** Serves connections: from the first octet to the end of the session, each on the host it belongs to. */
export class Connections {
  readonly #kernel: Kernel<ConfigPlan>
  readonly #logger: Logger
  readonly #tls: HostTls
  readonly #open = new Set<ByteLink>()
  readonly #running = new Set<Promise<void>>()
  /** By the name of the listener. */
  readonly #rates = new Map<string, ConnectionRate>()
  readonly #stopping = new AbortController()
  readonly #sessions: Sessions
  #choice: HostChoice

  /** @param sessions who runs them. */
  constructor(kernel: Kernel<ConfigPlan>, logger: Logger, tls: HostTls, sessions: (hostOf: HostFinder) => Sessions) {
    this.#kernel = kernel
    this.#logger = logger
    this.#tls = tls
    this.#choice = new HostChoice(kernel.plan.hosts)
    this.#sessions = sessions(this.#host)
    // Every session listens; that is no leak.
    setMaxListeners(0, this.#stopping.signal)
  }

  /** How many there are. */
  get count(): number {
    return this.#open.size
  }
  /** For links that are made elsewhere. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** After a reload: new connections find their host in the new plan. */
  replan(): void {
    this.#choice = new HostChoice(this.#kernel.plan.hosts)
  }

  /** A connection that was accepted and from which nothing was read. Never rejects. */
  accept(socket: Socket, place: Place): void {
    void this.serveSocket(socket, place)
  }

  /** The same, resolving when the session has ended; never rejects. */
  serveSocket(socket: Socket, place: Place): Promise<void> {
    // Until a link takes it over, an error on the socket has no other hearer.
    socket.on('error', () => undefined)
    return this.#track(
      this.#acceptSocket(socket, place).catch((error: unknown) => {
        socket.destroy()
        throw error
      }),
    )
  }

  /** A session on a link that is already there, such as standard input and output. Resolves when it has ended; never rejects. */
  serve(link: ByteLink, protocol: string): Promise<void> {
    return this.#track(this.#serveMade(link, protocol, () => this.#sessions.run(link, protocol)))
  }

  /** The same for somebody who needs no login, because the operating system knows who it is. */
  servePreauthenticated(link: ByteLink, protocol: string, user: MailUser): Promise<void> {
    return this.#track(this.#serveMade(link, protocol, () => this.#sessions.preauthenticated(link, protocol, user)))
  }

  /** Lets sessions end by themselves within `withinMs`, then ends them. */
  async drain(withinMs: number): Promise<void> {
    this.#stopping.abort()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs)
    })
    await Promise.race([late, Promise.all(this.#running)])
    clearTimeout(timer)
    for (const link of this.#open) link.abort('the server stops', 'stopped')
    await Promise.all(this.#running)
  }

  /** Ends all sessions without a word, as after a hang-up of the terminal that they came by. False: there is none. */
  hangUp(): boolean {
    for (const link of this.#open) link.abort('hang-up', 'hung-up')
    return this.#open.size > 0
  }

  #track(session: Promise<void>): Promise<void> {
    const run = session.catch((error: unknown) => this.#logger.error('a connection failed', { error })).finally(() => this.#running.delete(run))
    this.#running.add(run)
    return run
  }

  /** Who is at the other end, after a proxy has said so; undefined: the connection is closed. */
  async #began(socket: Socket, place: Place): Promise<{ readonly ends: ProxiedEnds; readonly early?: Buffer } | undefined> {
    let ends: ProxiedEnds = { address: plainAddress(socket.remoteAddress), localAddress: plainAddress(socket.localAddress), localPort: socket.localPort ?? 0 }
    let early: Buffer | undefined
    if (place.proxy !== undefined && place.proxy.length > 0) {
      try {
        if (!inNetworks(place.proxy, ends.address)) throw new Error('the address is not that of a trusted proxy')
        const header = await readProxyHeader(socket, PROXY_HEADER_MS)
        ends = header.ends ?? ends
        early = header.rest
      } catch (error) {
        this.#logger.warn('connection refused', { listener: place.id, host: `[${ends.address}]`, text: error instanceof Error ? error.message : String(error) })
        socket.destroy()
        return undefined
      }
    }
    if (place.rate !== undefined) {
      const rate = this.#rates.get(place.id) ?? new ConnectionRate()
      this.#rates.set(place.id, rate)
      const { admitted, tell } = rate.admit(ends.address, place.rate)
      if (tell !== undefined) this.#logger.warn('connection rate', { listener: place.id, host: `[${ends.address}]`, evidence: tell })
      if (!admitted) {
        socket.destroy()
        return undefined
      }
    }
    return early === undefined || early.length === 0 ? { ends } : { ends, early }
  }

  async #acceptSocket(socket: Socket, place: Place): Promise<void> {
    const began = await this.#began(socket, place)
    if (began === undefined) return
    const { localAddress } = began.ends
    const peer = `[${began.ends.address}]`
    const host = this.#host({ localAddress })
    const entry = protocolOf(host, place.protocol)
    if (entry === undefined) {
      this.#logger.warn(`host ${host.id} does not serve ${place.protocol}`, { listener: place.id, host: peer })
      socket.destroy()
      return
    }
    this.#logger.debug(`${place.id}${place.tls === 'implicit' ? ' SSL' : ''} service init from ${began.ends.address}`)
    const tls = place.tls === 'none' ? undefined : await this.#tlsOf(host, localAddress, peer)
    if (socket.destroyed) return
    if (place.tls === 'implicit' && tls?.offered !== true) {
      socket.destroy()
      return
    }
    const id = newSessionId()
    const watch = watchOf(this.#kernel.process, { id, host: host.id, protocol: place.protocol, address: began.ends.address }, this.#logger)
    const mark = watch?.hops?.begin('accept', place.id) ?? 0
    const link = socketLink(socket, {
      session: id,
      ...began,
      service: entry.about.service,
      writeStallMs: WRITE_STALL_MS,
      layers: this.#layer,
      stopping: this.#stopping.signal,
      ...(tls === undefined ? {} : { tls }),
    })
    if (watch !== undefined) link.watch(watch)
    if (place.tls === 'implicit') {
      this.#open.add(link)
      try {
        await link.wrap({ use: 'tls' })
      } catch (error) {
        this.#logger.info('Unable to accept SSL connection', { host: peer, text: error instanceof Error ? error.message : String(error) })
        watch?.hops?.end('accept', mark, 'error', 0)
        await link.close()
        watch?.close()
        return
      } finally {
        this.#open.delete(link)
      }
    }
    watch?.hops?.end('accept', mark, 'ok', 0)
    try {
      await this.#serveLink(link, () => this.#sessions.run(link, place.protocol))
    } finally {
      watch?.close()
    }
  }

  async #serveMade(link: ByteLink, protocol: string, session: () => Promise<'ended' | 'again'>): Promise<void> {
    const { session: id = newSessionId(), address } = link.peer
    const watch = watchOf(this.#kernel.process, { id, host: this.#host({ localAddress: link.peer.localAddress }).id, protocol, address }, this.#logger)
    if (watch !== undefined) link.watch(watch)
    try {
      await this.#serveLink(link, session)
    } finally {
      watch?.close()
    }
  }

  async #tlsOf(host: HostView, localAddress: string, peer: string): Promise<NonNullable<SocketLinkOptions['tls']>> {
    const choose = async (serverName: string | undefined): ReturnType<NonNullable<SocketLinkOptions['tls']>['choose']> => {
      const chosen = serverName === undefined ? host : this.#host({ localAddress, serverName })
      const plan = this.#planOf(chosen)
      return plan === undefined ? undefined : this.#tls.contexts(chosen, plan).find(serverName, localAddress)
    }
    let offered = false
    try {
      offered = (await choose(undefined)) !== undefined
    } catch (error) {
      const step = error instanceof TlsSetupFailure ? error.step : 'create SSL context'
      this.#logger.error(`Unable to ${step},`, { host: peer, text: error instanceof Error ? error.message : String(error) })
    }
    return { offered, timeoutMs: HANDSHAKE_MS, choose }
  }

  async #serveLink(link: ByteLink, session: () => Promise<'ended' | 'again'>): Promise<void> {
    this.#open.add(link)
    try {
      while ((await session()) === 'again') {
        // RFC 8437: the link goes back to the greeting's half.
        link.distrust()
      }
    } catch (error) {
      if (error instanceof ConnectionLost) this.#logger.debug('connection lost', { session: link.peer.session, text: error.message })
      else this.#logger.error('session failed', { session: link.peer.session, host: `[${link.peer.address}]`, error })
    } finally {
      await link.close()
      this.#open.delete(link)
    }
  }

  readonly #host: HostFinder = (evidence) => hostOf(this.#choice, this.#kernel.hosts, { serverName: undefined, domain: undefined, ...evidence })
  #planOf(host: HostView): HostPlan | undefined {
    return this.#kernel.plan.hosts.find((h) => h.id === host.id)
  }
  readonly #layer = (use: string): TransportLayerKind | undefined => this.#kernel.process.entries(transportLayers).find((e) => e.about.use === use)?.made
}
