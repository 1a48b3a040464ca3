import { isAbsolute, resolve } from 'node:path'
import type { Plugin } from '../../api/kernel.js'
import type { Problem } from '../../api/problem.js'
import type { BuiltinRow, LoadedPlugin } from '../kernel.js'
import type { PluginRequest } from '../plan.js'
import { declarationsOf } from '../registry/registrar.js'
import { type Registry, splitUse } from '../registry/registry.js'
import { readManifest } from './manifest.js'
import { importPlugin, importRefusal, pluginOf } from './module.js'
import { PluginRefusal, wordsOf } from './refusal.js'

/** A name that a row has for a point. */
export interface Offer {
  readonly plugin: string
  readonly name: string
}
type Origin = Pick<LoadedPlugin, 'from' | 'origin' | 'version'>

/** Brings plugins into a registry, each once, and remembers where they came from. Only what is named or used is imported. */
export class PluginLoader {
  readonly problems: Problem[] = []
  readonly #registry: Registry
  readonly #builtins: readonly BuiltinRow[]
  readonly #offered = new Map<string, Offer[]>()
  readonly #origins = new Map<string, Origin>()
  readonly #asked = new Set<string>()

  constructor(registry: Registry, builtins: readonly BuiltinRow[]) {
    this.#registry = registry
    this.#builtins = builtins
    for (const { id: plugin, provides } of builtins) for (const { point, name } of provides) this.#offered.set(point, [...(this.#offered.get(point) ?? []), { plugin, name }])
  }

  origin(id: string): Origin {
    return this.#origins.get(id) ?? { from: 'core', origin: undefined, version: undefined }
  }

  /** Core's own parts. */
  addCore(plugins: readonly Plugin[]): void {
    for (const plugin of plugins) this.#setUp(plugin, { from: 'core', origin: undefined, version: undefined }, '', false)
  }

  /** What `plugins` of the configuration names, in its order; every refusal is kept. */
  async addRequested(requests: readonly PluginRequest[]): Promise<void> {
    for (const request of requests) {
      try {
        for (const { plugin, origin } of await load(request)) this.#setUp(plugin, origin, request.path, request.optional)
      } catch (cause) {
        if (!(cause instanceof PluginRefusal)) throw cause
        this.#refuse(cause, request.path, request.optional)
      }
    }
  }

  /** Rows that offer a name to a point, loaded or not. */
  offering(point: string): readonly Offer[] {
    return this.#offered.get(point) ?? []
  }

  /** Imports the built-in plugins behind these uses (`use` undefined: all of the point). True when anything new came. */
  async addUsed(uses: readonly { readonly point: string; readonly use: string | undefined; readonly except?: ReadonlySet<string> }[]): Promise<boolean> {
    const rows = this.#builtins.filter(
      (row) =>
        !this.#asked.has(row.id) &&
        uses.some(({ point, use, except }) => {
          const [owner, name] = use === undefined ? [undefined, undefined] : splitUse(use)
          return (owner === undefined || owner === row.id) && row.provides.some((p) => p.point === point && (name === undefined ? except?.has(p.name) !== true : p.name === name))
        }),
    )
    for (const row of rows) this.#asked.add(row.id)
    const modules = await Promise.all(rows.map(async (row) => ({ row, ...(await importRow(row)) })))
    // Set up in the order of the table, whichever import ended first.
    for (const { row, plugin, refusal } of modules) {
      if (plugin === undefined) this.#refuse(refusal, '', false)
      else this.#setUp(plugin, { from: 'built-in', origin: row.id, version: undefined }, '', false)
    }
    return rows.length > 0
  }

  #setUp(plugin: Plugin, origin: Origin, path: string, optional: boolean): void {
    try {
      const declared = declarationsOf(plugin)
      this.problems.push(...this.#registry.add(declared).map((p) => ({ ...p, path })))
      if (!this.#origins.has(plugin.id)) this.#origins.set(plugin.id, origin)
    } catch (cause) {
      this.#refuse(new PluginRefusal('PLG_SETUP_FAILED', `plugin ${plugin.id}: setup failed: ${wordsOf(cause)}`, 'the cause is in the plugin', { cause }), path, optional)
    }
  }

  #refuse(refusal: PluginRefusal, path: string, optional: boolean): void {
    this.problems.push({ code: refusal.code, severity: optional ? 'warning' : 'error', path, message: refusal.message, hint: refusal.hint })
  }
}

async function importRow(row: BuiltinRow): Promise<{ plugin: Plugin; refusal?: undefined } | { plugin?: undefined; refusal: PluginRefusal }> {
  try {
    return { plugin: pluginOf(await row.load(), `built-in plugin ${row.id}`) }
  } catch (cause) {
    return { refusal: cause instanceof PluginRefusal ? cause : importRefusal(`built-in plugin ${row.id}`, cause) }
  }
}

async function load(request: PluginRequest): Promise<{ plugin: Plugin; origin: Origin }[]> {
  const { module, folder } = request
  if (module.startsWith('.') || isAbsolute(module)) {
    const file = resolve(folder, module)
    return [{ plugin: await importPlugin(file), origin: { from: 'file', origin: file, version: undefined } }]
  }
  const facts = await readManifest(module, folder)
  const loaded = []
  for (const entry of facts.entries) {
    loaded.push({ plugin: await importPlugin(entry), origin: { from: 'package' as const, origin: facts.folder, version: facts.version } })
  }
  return loaded
}
