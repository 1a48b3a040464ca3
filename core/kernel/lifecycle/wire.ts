import type { Problem } from '../../api/problem.js'
import type { BuiltinRow, KernelOptions, LoadedPlugin, ResolvedSlot, Wiring } from '../kernel.js'
import type { KernelPlan, PlanEntry } from '../plan.js'
import { PluginLoader } from '../loader/loader.js'
import { Registry } from '../registry/registry.js'
import { entriesAt, unusedPoints } from './defaults.js'
import { checkNeeds } from './needs.js'
import { nestedEntries } from './nested.js'
import type { WiredPart, WiredSlot } from './node.js'
import { PartBuilder } from './parts.js'
import { validateEntries } from './validate.js'

/** What a start or a check has in hand before anything is created. */
export interface Wired<P extends KernelPlan> extends Wiring<P> {
  readonly processPart: WiredPart
  readonly hostParts: readonly WiredPart[]
}
/** The part of the options that decides the wiring. */
export type WiringOptions<P extends KernelPlan> = Pick<KernelOptions<P>, 'source' | 'builtins' | 'always' | 'points' | 'reads' | 'given' | 'roles' | 'unused' | 'check'>

/**
 * Loads, sets up, freezes and validates: everything up to the first `create`. Never throws for what an operator can mend;
 * all of that is in `problems`, in the order of the files.
 */
export async function wire<P extends KernelPlan>(options: WiringOptions<P>): Promise<Wired<P>> {
  const registry = new Registry(options.points)
  const loader = new PluginLoader(registry, options.builtins)
  loader.addCore(options.always)
  await loader.addRequested(options.source.plugins)
  const plan = options.source.plan(registry.points)
  const unused = unusedPoints(options, registry)
  await loadUsed(plan, registry, loader, unused)
  const problems: Problem[] = [...plan.problems, ...loader.problems, ...registry.freeze()]
  const builder = new PartBuilder(registry, loader, options.roles, unused, problems)
  const processPart = builder.part(plan.process, undefined)
  const hostParts = plan.hosts.map((host) => builder.part(host, host.id))
  for (const part of [processPart, ...hostParts]) await validateEntries(part, problems)
  problems.push(...checkNeeds({ registry, processPart, hostParts, given: options.given, reads: options.reads, roles: options.roles }))
  const slots = [processPart, ...hostParts].flatMap((part) => [...part.slots.values()].map((slot) => resolved(slot, part.host)))
  problems.push(...(options.check?.({ plan, slots }) ?? []))
  return {
    plan,
    problems: placed(problems, plan),
    plugins: loadedPlugins(registry, loader),
    slots,
    processPart,
    hostParts,
  }
}

/** A name in use at a point; without a name all of the point. */
interface Use {
  readonly point: string
  readonly use: string | undefined
  readonly except?: ReadonlySet<string>
}

/** Imports built-in plugins until every name in use that a row offers is there; a name may be nested in another entry's settings. */
async function loadUsed(plan: KernelPlan, registry: Registry, loader: PluginLoader, unused: ReadonlySet<string>): Promise<void> {
  for (;;) {
    const uses: Use[] = [plan.process, ...plan.hosts].flatMap((part) =>
      part.slots.flatMap((slot): Use[] => {
        const entries = entriesAt(slot, unused)
        if (entries !== undefined) return entries.flatMap((entry) => usesOf(slot.point, entry, registry))
        return registry.point(slot.point)?.pick === 'all' ? [{ point: slot.point, use: undefined, except: new Set(slot.without.map((w) => w.name)) }] : []
      }),
    )
    if (!(await loader.addUsed(uses))) return
  }
}

/** An entry's own name, and the names in its settings once it is loaded. */
function usesOf(point: string, entry: PlanEntry, registry: Registry): Use[] {
  const inner = registry.named(point, entry.use).flatMap(({ what }) => nestedEntries(what.needs ?? {}, entry).flatMap((n) => n.entries.flatMap((e) => usesOf(n.point, e, registry))))
  return [{ point, use: entry.use }, ...inner]
}

/** File and line from the plan, the same problem once, in the order of the files. */
function placed(problems: readonly Problem[], plan: KernelPlan): Problem[] {
  const seen = new Set<string>()
  const out: Problem[] = []
  for (const problem of problems) {
    const place = problem.file === undefined && problem.path !== '' ? plan.where(problem.path) : undefined
    const at: Problem = place === undefined ? problem : { ...problem, file: place.file, line: place.line }
    // A mistake in `default` shows in every host that takes it over; the place it was written at is one.
    const key = `${at.code}\n${at.message}\n${at.file === undefined || at.line === undefined ? at.path : `${at.file}:${at.line}`}`
    if (!seen.has(key)) out.push(at)
    seen.add(key)
  }
  return out
    .map((p, i) => [p, i] as const)
    .sort(([a, i], [b, j]) => compare(a.file ?? '', b.file ?? '') || (a.line ?? 0) - (b.line ?? 0) || i - j)
    .map(([p]) => p)
}
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function loadedPlugins(registry: Registry, loader: PluginLoader): LoadedPlugin[] {
  return registry.plugins.map(({ plugin, contributions, provisions, points }) => ({
    id: plugin.id,
    summary: plugin.summary,
    ...loader.origin(plugin.id),
    fills: contributions.map((c) => ({ point: c.point.id, name: c.what.name })),
    provides: provisions.map((p) => p.token.id),
    offers: points.map((p) => p.id),
  }))
}

function resolved(slot: WiredSlot, host: string | undefined): ResolvedSlot {
  return {
    host,
    point: slot.point.id,
    path: slot.path,
    entries: slot.entries.map((e) => ({ name: e.name, plugin: e.plugin, path: e.path, optional: e.optional, about: e.what.about })),
    off: slot.off,
  }
}

/** For tests: rows and their plugins must agree. */
export function rowMismatch(row: BuiltinRow, fills: readonly { readonly point: string; readonly name: string }[]): string | undefined {
  const words = (list: BuiltinRow['provides']): string => list.map((p) => `${p.point}:${p.name}`).toSorted().join(' ')
  return words(row.provides) === words(fills) ? undefined : `${row.id}: the table says [${words(row.provides)}], the plugin contributes [${words(fills)}]`
}
