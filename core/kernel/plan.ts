import type { Problem } from '../api/problem.js'
import type { ExtensionPoint, Pick, Scope, Token } from '../api/kernel.js'

/** A point whose types do not matter here: names, places and scopes are data. */
export interface AnyPoint {
  readonly id: string
  readonly scope: Scope
  readonly pick: Pick
  readonly roles: ExtensionPoint<unknown>['roles']
  readonly slot: string
}

/** One `use:` of the configuration; settings are not validated yet. */
export interface PlanEntry {
  /** As written: `unix`, or `format-unix/unix` where the short name is ambiguous. */
  readonly use: string
  /** `hosts.example-org.auth.passwords[0]`. */
  readonly path: string
  /** The other keys, as plain values. */
  readonly settings: Readonly<Record<string, unknown>>
  /** May fail at start without stopping the server. */
  readonly optional: boolean
  /** Of the file that says it; relative paths in the settings start here. */
  readonly folder: string
}

/** What the configuration chose for one point. */
export interface PlanSlot {
  readonly point: string
  readonly path: string
  /** `undefined`: nothing was said, so a point that takes all gets all that are loaded, others nothing. */
  readonly entries: readonly PlanEntry[] | undefined
  /** Whether the configuration says so; otherwise they come by default. */
  readonly said: boolean
  /** Where relative paths in defaults start. */
  readonly folder: string
  /** Short names that are left out of `all`. */
  readonly without: readonly { readonly name: string; readonly path: string }[]
}

/** A service that the configuration itself provides (`HOST`, the typed settings of a host). */
export interface Given {
  readonly token: Token<unknown>
  readonly value: unknown
}

/** The process, or one virtual host. */
export interface PlanPart {
  /** Empty for the process. */
  readonly id: string
  readonly slots: readonly PlanSlot[]
  readonly given: readonly Given[]
  /** Plain value of everything the configuration says about this part; equal values keep a host across a reload. */
  readonly said: unknown
}

/** Where something was written. */
export interface Place {
  readonly file: string
  readonly line: number | undefined
}

/** A configuration as the kernel needs it; what else it holds is the business of whoever asked for it. */
export interface KernelPlan {
  /** Found while the plan was made; the kernel reports them together with its own. */
  readonly problems: readonly Problem[]
  readonly process: PlanPart
  readonly hosts: readonly PlanPart[]
  where(path: string): Place | undefined
}

/** A module the configuration names: an npm package or a path. */
export interface PluginRequest {
  readonly module: string
  readonly path: string
  readonly optional: boolean
  /** Of the file that says it. */
  readonly folder: string
}

/** A configuration before it is known which points there are: the kernel loads the named plugins first, then asks for the plan. */
export interface PlanSource<P extends KernelPlan = KernelPlan> {
  readonly plugins: readonly PluginRequest[]
  plan(points: readonly AnyPoint[]): P
}
