import type { Role, Scope } from '../../api/kernel.js'
import type { Problem } from '../../api/problem.js'
import type { AnyPoint, Given } from '../plan.js'
import type { Registry } from '../registry/registry.js'
import { isChosen, nodesOf, order, type Node, type WiredPart } from './node.js'

/** What needs are checked against. */
export interface NeedsCheck {
  readonly registry: Registry
  readonly processPart: WiredPart
  readonly hostParts: readonly WiredPart[]
  readonly given: readonly Given[]
  readonly reads: readonly AnyPoint[]
  readonly roles: readonly Role[]
}

/** Needs that nothing meets, of the wrong scope or role, or in a circle; and choices at points that nobody reads. */
export function checkNeeds(check: NeedsCheck): Problem[] {
  const parts = [check.processPart, ...check.hostParts]
  const problems = parts.flatMap((part) => {
    const own = [...nodesOf(part)].filter((node) => plays(node, check.roles)).flatMap((node) => Object.entries(node.needs).flatMap(([key, need]) => checkNeed(check, part, node, key, need) ?? []))
    const { cycle } = order(part)
    if (cycle !== undefined) own.push(problem('PLG_CYCLE', cycle[0]!, `needs itself: ${cycle.map((n) => n.label).join(' needs ')}`))
    return own
  })
  const read = new Set(check.reads.map((point) => point.id))
  for (const part of parts) for (const node of nodesOf(part)) for (const need of Object.values(node.needs)) if (isChosen(need)) read.add(need.point)
  for (const { how } of check.registry.provided) for (const need of Object.values(how.needs ?? {})) if (isChosen(need)) read.add(need.point)
  for (const part of parts) {
    for (const slot of part.slots.values()) {
      if (!slot.said || read.has(slot.point.id)) continue
      problems.push({ code: 'CFG_NOT_READ', severity: 'error', path: slot.path, message: `nothing in this server reads the point "${slot.point.id}" yet`, hint: 'take it out, or load the plugin that reads it' })
    }
  }
  return problems
}

/** Whether a process with these roles creates it. */
export function plays(node: Node, roles: readonly Role[]): boolean {
  return node.roles.some((role) => roles.includes(role))
}

function checkNeed(check: NeedsCheck, part: WiredPart, node: Node, key: string, need: Node['needs'][string]): Problem | undefined {
  const here: Scope = part.host === undefined ? 'process' : 'host'
  const what = isChosen(need) ? `contributions to ${need.point}` : `"${need.id}"`
  if (need.scope === 'session' || (here === 'process' && need.scope === 'host')) {
    return problem('PLG_SCOPE', node, `needs ${what} (as "${key}"), which live shorter than a ${here}`)
  }
  if (isChosen(need)) {
    const point = check.registry.point(need.point)
    if (point === undefined) return problem('PLG_UNKNOWN_POINT', node, `needs ${what}, a point that no loaded plugin offers`)
    if (need.gives !== 'known' && !point.roles.some((role) => check.roles.includes(role))) return problem('PLG_WRONG_ROLE', node, `needs ${what}, which are created in other processes`)
    if (need.from === 'own-settings' || need.many) return undefined
    const slot = (point.scope === 'process' ? check.processPart : part).slots.get(need.point)
    // A choice that could not be resolved has been reported as such.
    if (slot !== undefined && (slot.entries.length > 0 || slot.said)) return undefined
    return { ...problem('CFG_NOTHING_CHOSEN', node, `needs a choice for ${point.slot}`), path: slot?.path ?? point.slot }
  }
  const given = [...check.given, ...check.processPart.part.given, ...part.part.given]
  if (given.some((g) => g.token.id === need.id)) return undefined
  const provider = check.registry.provider(need)
  if (provider === undefined) return problem('PLG_MISSING_SERVICE', node, `needs the service ${what}, which no loaded plugin provides`, 'load the plugin that provides it')
  if (!provider.token.roles.some((role) => check.roles.includes(role))) return problem('PLG_WRONG_ROLE', node, `needs the service ${what}, which is created in other processes`)
  return undefined
}

function problem(code: string, node: Node, message: string, hint?: string): Problem {
  return { code, severity: node.optional ? 'warning' : 'error', path: node.path, message: `plugin ${node.plugin}, ${node.label}: ${message}`, hint }
}
