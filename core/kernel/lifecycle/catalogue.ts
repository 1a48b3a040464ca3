import type { Settings } from '../../api/kernel.js'
import { StartFailure } from '../../api/problem.js'
import type { KernelOptions } from '../kernel.js'
import { PluginLoader } from '../loader/loader.js'
import type { AnyPoint, KernelPlan } from '../plan.js'
import { Registry } from '../registry/registry.js'

/** A contribution that could be chosen. */
export interface Choice {
  readonly point: AnyPoint
  readonly name: string
  readonly plugin: string
  readonly summary: string
  readonly settings: Settings<unknown>
  /** Cannot be left out of a point that takes all. */
  readonly core: boolean
}

/**
 * Everything core and the built-in plugins offer, whether a configuration uses it or not: for schemas, examples and lists.
 * @throws StartFailure when a built-in plugin cannot be loaded.
 */
export async function catalogue(options: Pick<KernelOptions<KernelPlan>, 'builtins' | 'always' | 'points'>): Promise<readonly Choice[]> {
  const registry = new Registry(options.points)
  const loader = new PluginLoader(registry, options.builtins)
  loader.addCore(options.always)
  const points = [...new Set(options.builtins.flatMap((row) => row.provides.map((p) => p.point)))]
  await loader.addUsed(points.map((point) => ({ point, use: undefined })))
  const problems = [...loader.problems, ...registry.freeze()]
  if (problems.length > 0) throw new StartFailure(problems)
  return registry.plugins.flatMap(({ plugin, contributions }) =>
    contributions.map(({ point, what }) => ({ point, name: what.name, plugin: plugin.id, summary: plugin.summary, settings: what.settings, core: loader.origin(plugin.id).from === 'core' })),
  )
}
