import type { Problem } from '../api/index.js'
import type { ConfigPlan } from '../config/plan/types.js'

/** With file and line. */
export function located(problems: readonly Problem[], plan: Pick<ConfigPlan, 'where'>): readonly Problem[] {
  return problems.map((p) => ({ ...p, ...plan.where(p.path) }))
}
