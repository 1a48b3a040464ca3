import type { DriverAbout, Plugin } from '../../core/api/index.js'
import { declarationsOf } from '../../core/kernel/registry/registrar.js'

/** What a plugin declares of the only format that it contributes: tests go by the same. */
export function aboutOf(plugin: Plugin): DriverAbout {
  const [only, ...more] = declarationsOf(plugin).contributions
  if (only === undefined || more.length > 0) throw new Error(`${plugin.id} contributes ${more.length + (only === undefined ? 0 : 1)} things`)
  // What the points of formats and drivers take.
  return only.what.about as DriverAbout
}
