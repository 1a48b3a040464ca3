import type { Plugin } from 'mailwright/api'

/**
 * A plugin that comes with the server. `provides` says which short names it gives to which points, so that the loader
 * knows what to import without importing it; it repeats what the plugin's `setup` contributes, and a test compares both.
 */
export interface BuiltinPlugin {
  readonly id: string
  readonly provides: readonly { readonly point: string; readonly name: string }[]
  readonly load: () => Promise<{ readonly default: Plugin }>
}

/** One row per plugin, one line per row, sorted by id; only what the configuration uses is imported. */
export const builtinPlugins: readonly BuiltinPlugin[] = [
]
