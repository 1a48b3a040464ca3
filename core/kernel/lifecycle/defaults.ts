import type { KernelOptions } from '../kernel.js'
import type { KernelPlan, PlanSlot } from '../plan.js'
import type { Registry } from '../registry/registry.js'
import { isChosen } from './node.js'

/** What stands at a point: nothing comes there by default where the process does nothing with it. */
export function entriesAt(slot: PlanSlot, unused: ReadonlySet<string>): PlanSlot['entries'] {
  return !slot.said && unused.has(slot.point) ? [] : slot.entries
}

/** The points that the process does nothing with, less those of which something that it creates asks what is known. */
export function unusedPoints({ unused = [], roles }: Pick<KernelOptions<KernelPlan>, 'unused' | 'roles'>, registry: Registry): ReadonlySet<string> {
  const ids = new Set(unused.map((point) => point.id))
  const created = registry.plugins.flatMap(({ contributions, provisions }) => [
    ...contributions.filter(({ point }) => !ids.has(point.id)).map(({ point, what }) => ({ roles: what.roles ?? point.roles, needs: what.needs })),
    ...provisions.map(({ token, how }) => ({ roles: token.roles, needs: how.needs })),
  ])
  for (const { needs } of created.filter((node) => node.roles.some((role) => roles.includes(role)))) {
    for (const need of Object.values(needs ?? {})) if (isChosen(need) && need.gives === 'known') ids.delete(need.point)
  }
  return ids
}
