import type { Logger, Role, Token } from '../../api/kernel.js'
import type { Problem } from '../../api/problem.js'
import { ContainerScope, type ClosePolicy } from '../container/scope.js'
import type { ActiveEntry } from '../kernel.js'
import { missingPackage, PluginRefusal, wordsOf } from '../loader/refusal.js'
import { withDeadline } from './deadline.js'
import { plays } from './needs.js'
import { isChosen, order, type EntryNode, type Node, type WiredPart } from './node.js'
import { siteOf } from './site.js'
import type { Timing } from './timing.js'

/** How things are created and closed. */
export interface Policy {
  readonly roles: readonly Role[]
  readonly logger: Logger
  readonly createMs: number
  readonly closing: ClosePolicy
}

/** The created things of the process or of a host. */
export class LivePart {
  readonly wired: WiredPart
  readonly scope: ContainerScope
  readonly outer: LivePart | undefined
  readonly #signal = new AbortController()
  readonly #made = new Map<EntryNode, unknown>()

  constructor(wired: WiredPart, scope: ContainerScope, outer: LivePart | undefined) {
    this.wired = wired
    this.scope = scope
    this.outer = outer
  }

  get<T>(token: Token<T>): T {
    return this.scope.get(token)
  }

  /** What was created for a point, here or, when the point is not this part's, around it. */
  entries(point: string): readonly ActiveEntry<unknown, unknown>[] {
    const slot = this.wired.slots.get(point)
    if (slot === undefined) return this.outer?.entries(point) ?? []
    return slot.entries
      .filter((node) => this.#made.has(node))
      .map((node) => ({ name: node.name, plugin: node.plugin, path: node.path, about: node.what.about, made: this.#made.get(node) }))
  }

  /** What was chosen for a point, created here or not. */
  #known(point: string): readonly Omit<ActiveEntry<unknown, unknown>, 'made' | 'path'>[] {
    const slot = this.wired.slots.get(point)
    if (slot === undefined) return this.outer === undefined ? [] : this.outer.#known(point)
    return slot.entries.filter((node) => !node.broken).map((node) => ({ name: node.name, plugin: node.plugin, about: node.what.about }))
  }

  async close(policy: ClosePolicy): Promise<void> {
    this.#signal.abort(new Error('closing'))
    await this.scope.close(policy)
  }

  /**
   * Creates everything in the order of its needs, one after the other. What fails is reported and takes with it only
   * what needs it, so that one start shows all failures; the caller closes the part when there was any.
   */
  async create(policy: Policy, timing: Timing): Promise<Problem[]> {
    for (const { token, value } of this.wired.part.given) this.scope.put(token, value)
    const problems: Problem[] = []
    const failed = new Set<Node>()
    for (const node of order(this.wired).sorted) {
      if (!plays(node, policy.roles) || (node.kind === 'provision' && this.scope.has(node.token))) continue
      if ((node.kind === 'entry' && node.broken) || this.#lost(node, failed)) {
        failed.add(node)
        continue
      }
      try {
        await timing.step(node.label, () => this.#createOne(node, policy))
      } catch (cause) {
        failed.add(node)
        const problem = creationProblem(node, cause)
        problems.push(problem)
        policy.logger.warn('plugin.failed', { plugin: node.plugin, at: node.label, cause })
      }
    }
    return problems
  }

  /** Whether something it cannot do without has failed; an optional entry of a list is merely missing from it. */
  #lost(node: Node, failed: ReadonlySet<Node>): boolean {
    return Object.entries(node.needs).some(([key, need]) => {
      if (isChosen(need) && need.gives === 'known') return false
      if (!isChosen(need)) return failed.has(this.wired.provisions.get(need.id) ?? node)
      const list = need.from === 'own-settings' ? (node.kind === 'entry' ? (node.nested.get(key) ?? []) : []) : (this.wired.slots.get(need.point)?.entries ?? [])
      return list.some((entry) => failed.has(entry) && (need.from === 'own-settings' || !entry.optional))
    })
  }

  async #createOne(node: Node, policy: Policy): Promise<void> {
    const needs = Object.fromEntries(Object.entries(node.needs).map(([key, need]) => [key, this.#resolve(node, key, need)]))
    const run = (): unknown =>
      node.kind === 'provision' ? node.how.create(needs) : node.what.create(node.settings, needs, siteOf(node, this.wired.host, policy.roles, this.#signal.signal, policy.logger))
    const made = await withDeadline(`creating ${node.label}`, policy.createMs, run, (late) => {
      void closeThing(late)?.catch(() => undefined)
    })
    if (made === undefined || made === null) throw new Error('nothing was created')
    const closer = isClosing(made) ? { name: `${node.plugin}: ${node.label}`, close: async () => closeThing(made) } : undefined
    if (node.kind === 'provision') this.scope.put(node.token, made, closer)
    else {
      this.#made.set(node, made)
      if (closer !== undefined) this.scope.onClose(closer)
    }
  }

  #resolve(node: Node, key: string, need: Node['needs'][string]): unknown {
    if (!isChosen(need)) return this.scope.get(need)
    if (need.from === 'own-settings') {
      const made = (node.kind === 'entry' ? (node.nested.get(key) ?? []) : []).map((inner) => this.#made.get(inner))
      return need.many ? Object.freeze(made) : made[0]
    }
    if (need.gives === 'known') return Object.freeze(this.#known(need.point).map((entry) => Object.freeze(entry)))
    const entries = this.entries(need.point)
    if (need.gives === 'entry') return Object.freeze(entries.map(({ name, plugin, about, made }) => Object.freeze({ name, plugin, about, made })))
    if (need.many) return Object.freeze(entries.map((entry) => entry.made))
    if (entries[0] === undefined) throw new Error(`nothing serves ${need.point}`)
    return entries[0].made
  }
}

function creationProblem(node: Node, cause: unknown): Problem {
  const severity = node.optional ? 'warning' : 'error'
  const base = { severity, path: node.path } as const
  if (cause instanceof PluginRefusal) return { ...base, code: cause.code, message: `${node.label}: ${cause.message}`, hint: cause.hint }
  const missing = missingPackage(cause)
  if (missing !== undefined) {
    return { ...base, code: 'PLG_MISSING_DEPENDENCY', message: `plugin ${node.plugin}, ${node.label}: needs the package ${missing}`, hint: `install it: npm install ${missing}` }
  }
  return { ...base, code: ownCode(cause) ?? 'PLG_CREATE_FAILED', message: `plugin ${node.plugin}, ${node.label}: ${wordsOf(cause)}` }
}

/** A plugin's own `AREA_WHAT` code; Node's codes are none (`ENOENT`, `ERR_...`). */
function ownCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return undefined
  return /^[A-Z]{3,4}_[A-Z_]+$/.test(cause.code) && !cause.code.startsWith('ERR_') ? cause.code : undefined
}

function isClosing(made: unknown): made is AsyncDisposable {
  return typeof made === 'object' && made !== null && Symbol.asyncDispose in made && typeof made[Symbol.asyncDispose] === 'function'
}
function closeThing(made: unknown): Promise<void> | undefined {
  return isClosing(made) ? Promise.resolve(made[Symbol.asyncDispose]()) : undefined
}
