import { StartFailure, protocols } from '../api/index.js'
import type { Problem } from '../api/index.js'
import type { ConfigPlan, ConfigSource } from '../config/plan/types.js'
import type { Kernel, Reloaded } from '../kernel/kernel.js'
import type { LogHub } from '../log/log-hub.js'
import { knownPoints } from './always.js'
import { answerBlocks } from './blocks.js'
import { Bindings } from './bindings.js'
import { checkListeners, protocolFaults } from './listener-protocols.js'
import type { ServerAddress } from './bindings.js'
import { configuredKernel } from './configured-kernel.js'
import { Connections } from './connections.js'
import type { ControlAnswer } from './control.js'
import { LocalDelivery } from './delivery/local-delivery.js'
import { HostTls } from './host-tls.js'
import { LocalSessions } from './local-sessions.js'
import { located } from './located.js'
import type { RunningServer, ServerParts } from './running-server.js'

/** A running server in one process: kernel, listeners, connections. */
export class MailServer implements RunningServer {
  readonly kernel: Kernel<ConfigPlan>
  readonly connections: Connections
  readonly #bindings: Bindings
  readonly #log: LogHub
  readonly #tls: HostTls
  #stopped: Promise<void> | undefined
  #reloading: Promise<unknown> = Promise.resolve()

  private constructor(kernel: Kernel<ConfigPlan>, parts: ServerParts) {
    this.kernel = kernel
    this.#log = parts.log
    this.#tls = new HostTls(parts.log)
    this.connections = new Connections(kernel, parts.log, this.#tls, (hostOf) => new LocalSessions(hostOf, new LocalDelivery(this, parts.delivery), parts.actAs))
    this.#bindings = new Bindings(
      (socket, place) => this.connections.accept(socket, place),
      (place, peer) => parts.log.warn('connection refused', { listener: place.id, host: `[${peer}]` }),
      parts.inherited,
    )
  }

  /**
   * Starts the kernel, then listens.
   * @throws StartFailure with everything that is wrong; nothing stays open then.
   */
  static async start(parts: ServerParts): Promise<MailServer> {
    const kernel = await configuredKernel(parts.source, parts.log, { unused: parts.unused ?? [], ...(parts.listen ? { check: checkListeners('error') } : {}) })
    const server = new MailServer(kernel, parts)
    try {
      await server.#warmUp()
      if (parts.listen) await server.#listen()
      return server
    } catch (error) {
      parts.log.use([])
      await kernel.stop()
      throw error
    }
  }

  get open(): number {
    return this.connections.count
  }
  blocks(request: `blocks ${string}`): Promise<ControlAnswer> {
    return Promise.resolve(answerBlocks(this.kernel.hosts.values(), request))
  }
  /** Where clients reach it. */
  get addresses(): readonly ServerAddress[] {
    return this.#bindings.addresses
  }

  /**
   * Takes up a new configuration: validated whole, then host by host; sessions that are open go on as they are.
   * @throws StartFailure when something is wrong with it; then nothing has changed.
   */
  reload(source: ConfigSource): Promise<Reloaded> {
    const turn = this.#reloading.then(() => this.#reload(source))
    this.#reloading = turn.catch(() => undefined)
    return turn
  }

  /** Closes the listeners, lets sessions end for a while, then closes everything in reverse order. Twice does no harm. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #reload(source: ConfigSource): Promise<Reloaded> {
    const preview = source.plan(knownPoints)
    const prepared = await this.#bindings.prepare(preview.listeners)
    try {
      if (prepared.problems.length > 0) throw new StartFailure(located(prepared.problems, preview))
      const reloaded = await this.kernel.reload(source)
      await prepared.commit()
      this.connections.replan()
      return reloaded
    } catch (error) {
      await prepared.discard()
      throw error
    }
  }

  async #listen(): Promise<void> {
    const { plan, hosts } = this.kernel
    // One that is optional may be missing although the configuration has it.
    const wrong = protocolFaults(plan.spoken, [...hosts.values()].flatMap((host) => host.entries(protocols).map((e) => e.name)))
    if (wrong.length > 0) throw new StartFailure(located(wrong, plan))
    const prepared = await this.#bindings.prepare(plan.listeners)
    if (prepared.problems.length > 0) {
      await prepared.discard()
      throw new StartFailure(located(prepared.problems, plan))
    }
    await prepared.commit()
  }

  /** Certificates are read, or made, before the first client waits for one; a listener that cannot do what it is for does not start. */
  async #warmUp(): Promise<void> {
    const { plan } = this.kernel
    const needed = plan.listeners.some((l) => l.tls !== 'none')
    const problems: Problem[] = []
    for (const host of needed ? plan.hosts : []) {
      const view = this.kernel.host(host.id)
      if (view === undefined) continue
      const path = `hosts.${host.id}.tls`
      try {
        const found = await this.#tls.contexts(view, host).find(undefined, '127.0.0.1')
        if (found === undefined) {
          const message = 'there is no certificate, so TLS is not offered'
          if (plan.listeners.some((l) => l.tls === 'implicit') && host === plan.hosts[0]) {
            problems.push({ code: 'NET_NO_CERTIFICATE', severity: 'error', path, message: 'there is no certificate, but a listener has "tls: implicit"', hint: 'set certificate and key, or selfSigned for trying out' })
          } else this.#log.warn(message, { at: path })
        }
      } catch (error) {
        problems.push({ code: 'NET_BAD_CERTIFICATE', severity: 'error', path, message: `the certificate cannot be used: ${error instanceof Error ? error.message : String(error)}` })
      }
    }
    if (problems.length > 0) throw new StartFailure(located(problems, plan))
  }

  async #stop(): Promise<void> {
    await this.#bindings.close()
    await this.connections.drain(this.kernel.plan.server.drainTimeoutMs)
    this.#log.use([])
    await this.kernel.stop()
  }
}
