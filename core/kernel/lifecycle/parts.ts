import type { Role } from '../../api/kernel.js'
import type { Problem } from '../../api/problem.js'
import type { AnyPoint, PlanEntry, PlanPart, PlanSlot } from '../plan.js'
import type { PluginLoader } from '../loader/loader.js'
import type { Registry } from '../registry/registry.js'
import { entriesAt } from './defaults.js'
import { nestedEntries } from './nested.js'
import type { EntryNode, ProvisionNode, WiredPart, WiredSlot } from './node.js'

/** Turns the plan's slots into nodes; what it cannot resolve becomes a problem. */
export class PartBuilder {
  readonly #registry: Registry
  readonly #loader: PluginLoader
  readonly #roles: readonly Role[]
  readonly #unused: ReadonlySet<string>
  readonly #problems: Problem[]

  constructor(registry: Registry, loader: PluginLoader, roles: readonly Role[], unused: ReadonlySet<string>, problems: Problem[]) {
    this.#registry = registry
    this.#loader = loader
    this.#roles = roles
    this.#unused = unused
    this.#problems = problems
  }

  part(part: PlanPart, host: string | undefined): WiredPart {
    const slots = new Map<string, WiredSlot>()
    for (const slot of part.slots) {
      const point = this.#registry.point(slot.point)
      if (point !== undefined) slots.set(point.id, this.#slot(slot, point))
    }
    const scope = host === undefined ? 'process' : 'host'
    const provisions = new Map<string, ProvisionNode>()
    for (const { plugin, token, how } of this.#registry.provided) {
      if (token.scope !== scope || !token.roles.some((role) => this.#roles.includes(role))) continue
      provisions.set(token.id, { kind: 'provision', plugin, label: `service ${token.id}`, path: '', needs: how.needs ?? {}, roles: token.roles, optional: false, token, how })
    }
    return { part, host, slots, provisions }
  }

  #slot(slot: PlanSlot, point: AnyPoint): WiredSlot {
    const here = this.#registry.at(point.id)
    const off: WiredSlot['off'][number][] = []
    const chosen = entriesAt(slot, this.#unused)
    const written = (chosen ?? []).flatMap((entry) => this.#entry(entry, point) ?? [])
    const isCore = (plugin: string): boolean => this.#loader.origin(plugin).from === 'core'
    const entries: EntryNode[] = []
    if (point.pick === 'all') {
      const without = new Set(slot.without.map((w) => w.name))
      for (const { name, path } of slot.without) {
        const known = [...here.map((c) => c.what.name), ...this.#loader.offering(point.id).map((o) => o.name)]
        if (!known.includes(name)) this.#bad('CFG_UNKNOWN_NAME', path, this.#registry.find(point.id, name, []))
        if (here.some((c) => c.what.name === name && isCore(c.plugin))) this.#problems.push({ code: 'CFG_CANNOT_BE_LEFT_OUT', severity: 'error', path, message: `"${name}" cannot be left out` })
      }
      for (const c of here) {
        if (written.some((e) => e.plugin === c.plugin && e.name === c.what.name)) continue
        // Core's own contributions are in every list: without them the rest would hang in the air.
        if (isCore(c.plugin) || (chosen === undefined && !without.has(c.what.name))) {
          entries.push(this.#node({ use: c.what.name, path: `${slot.path}.${c.what.name}`, settings: {}, optional: false, folder: slot.folder }, point, c.plugin, c.what))
        } else off.push({ name: c.what.name, plugin: c.plugin, why: without.has(c.what.name) ? 'left out by the configuration' : `not in the list ${slot.path}` })
      }
    }
    entries.push(...written)
    const used = new Set(entries.map((e) => `${e.plugin}/${e.name}`))
    for (const { plugin, name } of this.#loader.offering(point.id)) {
      if (used.has(`${plugin}/${name}`) || off.some((o) => o.plugin === plugin && o.name === name)) continue
      off.push({ name, plugin, why: slot.without.some((w) => w.name === name) ? 'left out by the configuration' : `not in the list ${slot.path}` })
    }
    return { point, path: slot.path, said: (chosen ?? []).length > 0, entries, off }
  }

  #entry(entry: PlanEntry, point: AnyPoint): EntryNode | undefined {
    const found = this.#registry.find(point.id, entry.use, this.#loader.offering(point.id))
    if (found.kind === 'found') return this.#node(entry, point, found.it.plugin, found.it.what)
    // A row whose import failed has said so already.
    const failed = this.#loader.offering(point.id).some((o) => entry.use === o.name || entry.use === `${o.plugin}/${o.name}`)
    if (found.kind === 'ambiguous' || !failed) this.#bad(found.kind === 'ambiguous' ? 'CFG_AMBIGUOUS_NAME' : 'CFG_UNKNOWN_NAME', entry.path, found, entry.optional)
    return undefined
  }

  #bad(code: string, path: string, found: { readonly kind: string; readonly message?: string; readonly hint?: string | undefined }, optional = false): void {
    this.#problems.push({ code, severity: optional ? 'warning' : 'error', path, message: found.message ?? found.kind, hint: found.hint })
  }

  #node(entry: PlanEntry, point: AnyPoint, plugin: string, what: EntryNode['what']): EntryNode {
    const needs = what.needs ?? {}
    const nested = new Map<string, readonly EntryNode[]>()
    const settings: Record<string, unknown> = { ...entry.settings }
    for (const { key, point: id, many, entries } of nestedEntries(needs, entry)) {
      const inner = this.#registry.point(id)
      const nodes = inner === undefined ? [] : entries.flatMap((e) => this.#entry(e, inner) ?? [])
      if (entries.length === 0 && !many) {
        this.#problems.push({ code: 'CFG_SETTING', severity: entry.optional ? 'warning' : 'error', path: `${entry.path}.${key}`, message: `"${entry.use}" needs something to stand under "${key}"`, hint: `write ${key}: { use: ... }` })
      }
      if (!many && entries.length > 1) {
        this.#problems.push({ code: 'CFG_ONE_ONLY', severity: 'error', path: `${entry.path}.${key}`, message: 'takes one choice, not a list' })
      }
      nested.set(key, nodes)
      delete settings[key]
    }
    // Without a role it is checked, and created nowhere.
    const roles = this.#unused.has(point.id) ? [] : (what.roles ?? point.roles).filter((role) => point.roles.includes(role))
    return { kind: 'entry', plugin, label: `${entry.path} (${what.name})`, path: entry.path, needs, roles, optional: entry.optional, point, name: what.name, entry: { ...entry, settings }, what, settings: undefined, broken: false, nested }
  }
}
