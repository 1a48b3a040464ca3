import { didYouMean } from '../../api/issues.js'
import type { Role, Token } from '../../api/kernel.js'
import type { Problem } from '../../api/problem.js'
import type { AnyPoint } from '../plan.js'
import type { AnyContribution, AnyProvision, Declarations } from './registrar.js'

/** A contribution with its owner. */
export interface Registered {
  readonly plugin: string
  readonly point: AnyPoint
  readonly what: AnyContribution
}
/** A service with its owner. */
export interface Provided {
  readonly plugin: string
  readonly token: Token<unknown> & { readonly roles: readonly Role[] }
  readonly how: AnyProvision
}
/** What a name at a point stands for. */
export type Lookup = { readonly kind: 'found'; readonly it: Registered } | { readonly kind: 'missing' | 'ambiguous'; readonly message: string; readonly hint: string | undefined }

const PLUGIN_ID = /^[a-z0-9]+(?:-[a-z0-9]+)*$/
const SHORT_NAME = /^[a-z0-9]+(?:[-.][a-z0-9]+)*$/
// Sessions are plain objects that hold what they were given; nothing is resolved once one is open.
const NO_SESSION_SCOPE = 'keep the state of a session in a slot (createSlot) and share what is common in the host'

/**
 * Points, contributions and services of all loaded plugins. Lists live here and not in the container, because a
 * container's child hides its parent's lists. Nothing can be added once it is frozen.
 */
export class Registry {
  readonly #points = new Map<string, { point: AnyPoint; by: string }>()
  readonly #contributions = new Map<string, Registered[]>()
  readonly #provided = new Map<string, Provided>()
  readonly #plugins = new Map<string, Declarations>()
  readonly #loose: Registered[] = []
  #frozen = false

  constructor(points: readonly AnyPoint[]) {
    for (const point of points) this.#points.set(point.id, { point, by: 'core' })
  }

  /** Adds everything of one plugin; the answer is what is wrong with it. */
  add(declared: Declarations): Problem[] {
    if (this.#frozen) throw new Error('the registry is frozen')
    const id = declared.plugin.id
    const problems: Problem[] = []
    const bad = (code: string, message: string, hint?: string): void => {
      problems.push({ code, severity: 'error', path: '', message: `plugin ${id}: ${message}`, hint })
    }
    if (!PLUGIN_ID.test(id)) bad('PLG_BAD_NAME', `"${id}" is no plugin id`, 'use lower-case words joined by hyphens, such as "driver-maildir"')
    if (this.#plugins.has(id)) {
      bad('PLG_DUPLICATE_ID', 'another plugin with this id is loaded', 'load only one of them')
      return problems
    }
    this.#plugins.set(id, declared)
    for (const point of declared.points) {
      const taken = [...this.#points.values()].find((p) => p.point.id === point.id || p.point.slot === point.slot)
      if (point.scope === 'session') bad('PLG_SESSION_SCOPE', `point "${point.id}" lives in a session`, NO_SESSION_SCOPE)
      else if (point.slot.startsWith('hosts.*.') !== (point.scope === 'host')) bad('PLG_BAD_SLOT', `point "${point.id}" of scope ${point.scope} cannot stand at ${point.slot}`, 'points of a host stand below "hosts.*."')
      else if (taken === undefined) this.#points.set(point.id, { point, by: id })
      else bad('PLG_DUPLICATE_POINT', `point "${point.id}" at ${point.slot} is taken by ${taken.by} (point "${taken.point.id}" at ${taken.point.slot})`)
    }
    for (const { point, what } of declared.contributions) {
      if (!SHORT_NAME.test(what.name)) bad('PLG_BAD_NAME', `"${what.name}" at ${point.id} is no short name`, 'use lower-case words joined by hyphens')
      const list = this.#contributions.get(point.id) ?? []
      if (list.some((c) => c.plugin === id && c.what.name === what.name)) bad('PLG_DUPLICATE_NAME', `contributes "${what.name}" to ${point.id} twice`)
      else if ((what.roles ?? []).some((role) => !point.roles.includes(role))) bad('PLG_WRONG_ROLE', `"${what.name}" at ${point.id} widens the roles of the point`)
      else {
        const it = { plugin: id, point, what }
        this.#contributions.set(point.id, [...list, it])
        this.#loose.push(it)
      }
    }
    for (const { token, how } of declared.provisions) {
      const taken = this.#provided.get(token.id)
      if (token.scope === 'session') bad('PLG_SESSION_SCOPE', `provides "${token.id}" in each session`, NO_SESSION_SCOPE)
      else if (taken === undefined) this.#provided.set(token.id, { plugin: id, token, how })
      else bad('PLG_DUPLICATE_SERVICE', `provides "${token.id}", which ${taken.plugin} provides already`, 'load only one of them')
    }
    return problems
  }

  /** Ends adding. Now that all points are known, contributions to unknown ones are problems. */
  freeze(): Problem[] {
    this.#frozen = true
    return this.#loose
      .filter((c) => !this.#points.has(c.point.id))
      .map((c) => ({
        code: 'PLG_UNKNOWN_POINT',
        severity: 'error',
        path: '',
        message: `plugin ${c.plugin}: contributes "${c.what.name}" to ${c.point.id}, a point that no loaded plugin offers`,
        hint: 'load the plugin that offers it',
      }))
  }

  get points(): readonly AnyPoint[] {
    return [...this.#points.values()].map((p) => p.point)
  }
  point(id: string): AnyPoint | undefined {
    return this.#points.get(id)?.point
  }
  get plugins(): readonly Declarations[] {
    return [...this.#plugins.values()]
  }
  get provided(): readonly Provided[] {
    return [...this.#provided.values()]
  }
  provider(token: Token<unknown>): Provided | undefined {
    return this.#provided.get(token.id)
  }
  /** In the order of loading. */
  at(point: string): readonly Registered[] {
    return this.#contributions.get(point) ?? []
  }

  /** All that `use` may mean at a point, of what is loaded. */
  named(point: string, use: string): readonly Registered[] {
    const [owner, name] = splitUse(use)
    return this.at(point).filter((c) => c.what.name === name && (owner === undefined || c.plugin === owner))
  }

  /**
   * What `use` means at a point: a short name, or `plugin-id/name`. `others` are names that could be loaded but are not:
   * they make a short name ambiguous all the same, so that a configuration does not change its meaning with what is loaded.
   */
  find(point: string, use: string, others: readonly { readonly plugin: string; readonly name: string }[]): Lookup {
    const [owner, name] = splitUse(use)
    const here = this.named(point, use)
    const all = new Set([...here.map((c) => c.plugin), ...others.filter((o) => o.name === name && (owner === undefined || o.plugin === owner)).map((o) => o.plugin)])
    const [it] = here
    if (it !== undefined && all.size === 1) return { kind: 'found', it }
    if (all.size > 1) {
      return { kind: 'ambiguous', message: `"${use}" is offered by ${[...all].toSorted().join(' and ')}`, hint: `write ${[...all].toSorted().map((plugin) => `"${plugin}/${name}"`).join(' or ')}` }
    }
    const known = [...new Set([...this.at(point).map((c) => c.what.name), ...others.map((o) => o.name)])]
    const message = known.length === 0 ? `"${use}" is not known, and nothing is installed for this place` : `"${use}" is not known here`
    return { kind: 'missing', message, hint: didYouMean(name, known) ?? 'a plugin that is not built in must be named under "plugins"' }
  }
}

/** Owner and short name. */
export function splitUse(use: string): readonly [string | undefined, string] {
  const slash = use.indexOf('/')
  return slash < 0 ? [undefined, use] : [use.slice(0, slash), use.slice(slash + 1)]
}
