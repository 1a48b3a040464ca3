import { tmpdir } from 'node:os'
import type { Socket } from 'node:net'
import { StartFailure } from '../../api/index.js'
import type { ConfigPlan, ConfigSource } from '../../config/plan/types.js'
import type { Kernel, Reloaded } from '../../kernel/kernel.js'
import { adopt } from '../../processes/sockets.js'
import { knownPoints } from '../always.js'
import { Bindings } from '../bindings.js'
import type { ServerAddress } from '../bindings.js'
import { configuredKernel } from '../configured-kernel.js'
import type { Place } from '../connections.js'
import type { ControlAnswer } from '../control.js'
import { checkListeners, deliveringProtocols } from '../listener-protocols.js'
import { located } from '../located.js'
import type { RunningServer, ServerParts } from '../running-server.js'
import { Generation } from './generation.js'
import type { ConfigOrigin } from './messages.js'

/**
 * The first process of the `per-user` and `workers` models. It listens, starts the others and passes sockets between them; it never reads from a client,
 * runs no plugin but log sinks, and has no password in its memory.
 *
 *     client ── front (no rights: TLS, greeting) ── authenticator (passwords)
 *                 └── socket, or octets under TLS ── one process per user (that user's rights), or n workers
 */
export class Supervisor implements RunningServer {
  readonly kernel: Kernel<ConfigPlan>
  readonly #log: ServerParts['log']
  readonly #bindings: Bindings
  /** Serves new connections; those before it serve their own to the end. */
  #current: Generation
  readonly #retiring = new Map<Generation, Promise<void>>()
  #reloading: Promise<unknown> = Promise.resolve()
  #stopped: Promise<void> | undefined

  private constructor(kernel: Kernel<ConfigPlan>, parts: ServerParts, first: Generation) {
    this.kernel = kernel
    this.#log = parts.log
    this.#current = first
    this.#bindings = new Bindings(
      (socket, place) => this.#accept(socket, place),
      (place, peer) => parts.log.warn('connection refused', { listener: place.id, host: `[${peer}]` }),
      parts.inherited,
    )
  }

  /** @throws StartFailure with everything that is wrong; no process stays then. */
  static async start(parts: ServerParts, origin: ConfigOrigin): Promise<Supervisor> {
    const { source, log } = parts
    const kernel = await configuredKernel(source, log, { roles: ['main'], check: checkListeners('error') })
    let first: Generation | undefined
    try {
      first = await Generation.start(kernel.plan, origin, log, tmpdir(), () => takesMail(kernel, kernel.plan))
      const server = new Supervisor(kernel, parts, first)
      if (parts.listen) await server.#listen()
      return server
    } catch (error) {
      await first?.stop(0)
      log.use([])
      await kernel.stop()
      throw error instanceof StartFailure ? new StartFailure(located(error.problems, kernel.plan)) : error
    }
  }

  get addresses(): readonly ServerAddress[] {
    return this.#bindings.addresses
  }
  get open(): number {
    return [this.#current, ...this.#retiring.keys()].reduce((sum, generation) => sum + generation.open, 0)
  }

  blocks(request: `blocks ${string}`): Promise<ControlAnswer> {
    return this.#current.blocks(request)
  }

  /** New processes under the new configuration; sessions stay in theirs until they end. */
  reload(source: ConfigSource, origin: ConfigOrigin): Promise<Reloaded> {
    const turn = this.#reloading.then(() => this.#reload(source, origin))
    this.#reloading = turn.catch(() => undefined)
    return turn
  }
  async #reload(source: ConfigSource, origin: ConfigOrigin): Promise<Reloaded> {
    const preview = source.plan(knownPoints)
    const prepared = await this.#bindings.prepare(preview.listeners)
    let next: Generation | undefined
    try {
      if (prepared.problems.length > 0) throw new StartFailure(located(prepared.problems, preview))
      next = await Generation.start(preview, origin, this.#log, tmpdir(), () => takesMail(this.kernel, preview))
      const reloaded = await this.kernel.reload(source)
      await prepared.commit()
      const old = this.#current
      this.#current = next
      this.#retiring.set(old, old.retire().finally(() => this.#retiring.delete(old)))
      return reloaded
    } catch (error) {
      await next?.stop(0)
      await prepared.discard()
      throw error
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }
  async #stop(): Promise<void> {
    await this.#bindings.close()
    const { drainTimeoutMs } = this.kernel.plan.server
    await Promise.all([this.#current, ...this.#retiring.keys()].map((generation) => generation.stop(drainTimeoutMs)))
    this.#log.use([])
    await this.kernel.stop()
  }

  async #listen(): Promise<void> {
    const prepared = await this.#bindings.prepare(this.kernel.plan.listeners)
    if (prepared.problems.length > 0) {
      await prepared.discard()
      throw new StartFailure(prepared.problems)
    }
    await prepared.commit()
  }

  #accept(socket: Socket, place: Place): void {
    const mine = adopt(socket)
    mine.on('error', () => mine.destroy())
    this.#current.accept(mine, place)
  }
}

/** Whether a listener of the plan speaks a protocol by which mail comes in. */
function takesMail({ wiring }: Pick<Kernel<ConfigPlan>, 'wiring'>, plan: ConfigPlan): boolean {
  const delivering = deliveringProtocols(wiring.slots)
  return plan.listeners.some(({ protocol }) => delivering.has(protocol))
}
