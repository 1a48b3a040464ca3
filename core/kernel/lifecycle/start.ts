import { services } from '../../api/kernel.js'
import { StartFailure, type Problem } from '../../api/problem.js'
import { ContainerScope } from '../container/scope.js'
import type { HostView, Kernel, KernelOptions, Reloaded, ScopeView, Step } from '../kernel.js'
import { PluginRefusal } from '../loader/refusal.js'
import type { KernelPlan, PlanSource } from '../plan.js'
import { LivePart, type Policy } from './create.js'
import { changedPlaces, samePart } from './fingerprint.js'
import { LiveHost, PartView } from './host.js'
import type { WiredPart } from './node.js'
import { ServiceRunner } from './service-runner.js'
import { Timing } from './timing.js'
import { wire, type Wired } from './wire.js'

const START_MS = 60_000
const STOP_MS = 10_000

/**
 * Starts everything the configuration names: load, set up, freeze, validate, create the process's things, then each host's,
 * then start the services.
 * @throws StartFailure with all problems; whatever was created is closed again.
 */
export async function startKernel<P extends KernelPlan>(options: KernelOptions<P>): Promise<Kernel<P>> {
  const timing = new Timing('start')
  const wired = await timing.step('load and check', () => wire(options))
  if (wired.problems.some((p) => p.severity === 'error')) throw new StartFailure(wired.problems)
  const kernel = new RunningKernel(options, wired, timing)
  await kernel.start()
  return kernel
}

class RunningKernel<P extends KernelPlan> implements Kernel<P> {
  readonly process: ScopeView
  #wired: Wired<P>
  readonly #options: KernelOptions<P>
  readonly #policy: Policy
  readonly #timing: Timing
  readonly #root = ContainerScope.root('process')
  readonly #services: ServiceRunner
  #process: LivePart
  #hosts = new Map<string, LiveHost>()
  #retired = new Set<LiveHost>()
  #generation = 1
  #queue: Promise<unknown> = Promise.resolve()
  #stopping: Promise<void> | undefined

  constructor(options: KernelOptions<P>, wired: Wired<P>, timing: Timing) {
    this.#options = options
    this.#wired = wired
    this.#timing = timing
    const { logger, roles } = options
    const closing = {
      deadlineMs: options.stopTimeoutMs ?? STOP_MS,
      failed: (name: string, cause: unknown) => logger.error('plugin.close-failed', { at: name, cause }),
    }
    this.#policy = { roles, logger, createMs: options.startTimeoutMs ?? START_MS, closing }
    for (const { token, value } of options.given) this.#root.put(token, value)
    this.#services = this.#root.build(ServiceRunner)
    this.#process = new LivePart(wired.processPart, this.#root, undefined)
    this.process = new PartView(() => this.#process)
  }

  get plan(): P {
    return this.#wired.plan
  }
  get wiring(): Wired<P> {
    return this.#wired
  }
  get hosts(): ReadonlyMap<string, HostView> {
    return this.#hosts
  }
  host(id: string): HostView | undefined {
    return this.#hosts.get(id)
  }
  get timing(): Step {
    return this.#timing.tree()
  }

  async start(): Promise<void> {
    const problems = await this.#timing.step('process', (inner) => this.#process.create(this.#policy, inner))
    // A host that needs a failed service of the process would only repeat its failure.
    if (!failed(problems)) {
      for (const part of this.#wired.hostParts) {
        const made = await this.#timing.step(`host ${part.part.id}`, (inner) => this.#createHost(part, this.#process, inner, problems))
        this.#hosts.set(made.id, made)
      }
    }
    if (!failed(problems)) await this.#timing.step('services', (inner) => this.#startServices(inner, problems))
    if (failed(problems)) {
      await this.stop()
      throw new StartFailure([...this.#wired.problems, ...this.#located(problems, this.#wired.plan)])
    }
    this.#warn(problems)
  }

  reload(source: PlanSource<P>): Promise<Reloaded> {
    const turn = this.#queue.then(() => this.#reload(source))
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  async #reload(source: PlanSource<P>): Promise<Reloaded> {
    if (this.#stopping !== undefined) throw new Error('the server is stopping')
    const wired = await wire({ ...this.#options, source })
    if (failed(wired.problems)) throw new StartFailure(wired.problems)
    const timing = new Timing('reload')
    const problems: Problem[] = []
    const generation = this.#generation + 1

    // Process things stay as they are; a newly loaded plugin may bring new ones, which live in a scope inside the old one.
    const additions = this.#additions(wired.processPart, generation)
    if (additions !== this.#process) problems.push(...(await additions.create(this.#policy, timing)))
    const next = new Map<string, LiveHost>()
    const created: LiveHost[] = []
    if (!failed(problems)) {
      for (const part of wired.hostParts) {
        const old = this.#hosts.get(part.part.id)
        if (old !== undefined && samePart(old.part.wired, part)) next.set(old.id, old)
        else {
          const made = await this.#createHost(part, additions, timing, problems, generation)
          next.set(made.id, made)
          created.push(made)
        }
      }
    }
    if (failed(problems)) {
      for (const host of created.toReversed()) await host.close()
      if (additions !== this.#process) await additions.close(this.#policy.closing)
      throw new StartFailure([...wired.problems, ...this.#located(problems, wired.plan)])
    }

    const before = this.#hosts
    const restart = changedPlaces(this.#wired.processPart, wired.processPart)
    this.#hosts = next
    this.#wired = wired
    this.#process = additions
    this.#generation = generation
    const gone = [...before.values()].filter((host) => next.get(host.id) !== host)
    for (const host of gone) {
      this.#retired.add(host)
      host.retire()
    }
    this.#warn(problems)
    return {
      kept: [...next.values()].filter((h) => before.get(h.id) === h).map((h) => h.id),
      changed: created.filter((h) => before.has(h.id)).map((h) => h.id),
      added: created.filter((h) => !before.has(h.id)).map((h) => h.id),
      removed: gone.filter((h) => !next.has(h.id)).map((h) => h.id),
      restart,
      warnings: [...wired.problems, ...this.#located(problems, wired.plan)],
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#queue.then(() => this.#stop())
    return this.#stopping
  }

  async #stop(): Promise<void> {
    await this.#services.stop(this.#policy.closing.deadlineMs)
    for (const host of [...this.#retired, ...this.#hosts.values()].toReversed()) await host.close()
    // Closing the outermost scope closes those of earlier reloads inside it, the latest first.
    for (let part: LivePart | undefined = this.#process; part !== undefined; part = part.outer) await part.close(this.#policy.closing)
  }

  #additions(wired: WiredPart, generation: number): LivePart {
    const scope = this.#process.scope
    const fresh = [...wired.provisions.values()].some((node) => !scope.has(node.token))
    return fresh ? new LivePart(withoutGiven(wired), scope.child(`process, reload ${generation}`), this.#process) : this.#process
  }

  async #createHost(wired: WiredPart, outer: LivePart, timing: Timing, problems: Problem[], generation = this.#generation): Promise<LiveHost> {
    const id = wired.part.id
    const part = new LivePart(wired, outer.scope.child(`host ${id}`), outer)
    const host = new LiveHost(id, generation, part, async () => {
      await part.close(this.#policy.closing)
      this.#retired.delete(host)
    })
    problems.push(...(await part.create(this.#policy, timing)))
    return host
  }

  async #startServices(timing: Timing, problems: Problem[]): Promise<void> {
    for (const service of this.process.entries(services)) {
      try {
        await timing.step(service.path, () => this.#services.start(service, this.#policy.createMs))
      } catch (cause) {
        if (!(cause instanceof PluginRefusal)) throw cause
        const optional = this.#wired.slots.some((slot) => slot.entries.some((e) => e.path === service.path && e.optional))
        problems.push({ code: cause.code, severity: optional ? 'warning' : 'error', path: service.path, message: cause.message })
      }
    }
  }

  #located(problems: readonly Problem[], plan: P): Problem[] {
    return problems.map((problem) => ({ ...problem, ...(problem.path === '' ? {} : plan.where(problem.path)) }))
  }
  #warn(problems: readonly Problem[]): void {
    for (const { code, path, message } of problems) this.#options.logger.warn('start.optional-failed', { code, path, message })
  }
}

/** Given values and entries of the process were put once, at the start. */
function withoutGiven(wired: WiredPart): WiredPart {
  return { ...wired, part: { ...wired.part, given: [] }, slots: new Map() }
}
const failed = (problems: readonly Problem[]): boolean => problems.some((p) => p.severity === 'error')
