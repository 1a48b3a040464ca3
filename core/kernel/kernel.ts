import type { ExtensionPoint, Logger, Pick, Role, Scope, Token } from '../api/kernel.js'
import type { Plugin } from '../api/kernel.js'
import type { Problem } from '../api/problem.js'
import type { AnyPoint, Given, KernelPlan, PlanSource } from './plan.js'

/** A first-party plugin that is imported only when it is used. */
export interface BuiltinRow {
  readonly id: string
  readonly provides: readonly { readonly point: string; readonly name: string }[]
  readonly load: () => Promise<{ readonly default: Plugin }>
}

/** What a start needs besides the configuration. */
export interface KernelOptions<P extends KernelPlan> {
  readonly source: PlanSource<P>
  readonly builtins: readonly BuiltinRow[]
  /** Core's own parts: always on, and what they contribute cannot be left out. */
  readonly always: readonly Plugin[]
  /** Points that exist before any plugin is loaded. */
  readonly points: readonly AnyPoint[]
  /** Points that the caller itself reads (`host.entries(protocols)`); a choice at a point that nobody reads is a problem. */
  readonly reads: readonly AnyPoint[]
  /** Process services that the caller brings, such as LOGGER. */
  readonly given: readonly Given[]
  readonly logger: Logger
  readonly roles: readonly Role[]
  /**
   * Points that this process does nothing with. Built-in plugins come there only where the configuration names them, which is checked as ever;
   * nothing is created there, and whoever needs what is chosen there gets none of it. One of which something asks what is known (`chosenKnown`) is in use after all.
   */
  readonly unused?: readonly AnyPoint[]
  /** What the caller has to say about a plan and what fills its slots, told together with all else; at a reload too. */
  readonly check?: (found: { readonly plan: P; readonly slots: readonly ResolvedSlot[] }) => readonly Problem[]
  /** Deadline of each step of starting and stopping. */
  readonly startTimeoutMs?: number
  readonly stopTimeoutMs?: number
}

/** A contribution that is in use. `made` exists only in a process that plays one of its roles. */
export interface ActiveEntry<Made, About> {
  readonly name: string
  readonly plugin: string
  readonly path: string
  readonly about: About
  readonly made: Made
}

/** Started things of one scope. */
export interface ScopeView {
  /** Throws when nothing provides it in this process. */
  get<T>(token: Token<T>): T
  /** What was chosen for a point, in the order of the configuration. */
  entries<Made, About>(point: ExtensionPoint<Made, Scope, Pick, About>): readonly ActiveEntry<Made, About>[]
}

/** A virtual host that is up. Sessions hold it: it is closed when it was replaced and the last hold is given back. */
export interface HostView extends ScopeView {
  readonly id: string
  /** Grows with each reload that changed this host. */
  readonly generation: number
  hold(): Disposable
}

/** One line of the timing tree. */
export interface Step {
  readonly name: string
  readonly ms: number
  readonly steps: readonly Step[]
}

/** What a reload did, by host id. */
export interface Reloaded {
  readonly kept: readonly string[]
  readonly changed: readonly string[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Places whose new content counts only after a restart. */
  readonly restart: readonly string[]
  readonly warnings: readonly Problem[]
}

/** A plugin that is loaded. */
export interface LoadedPlugin {
  readonly id: string
  readonly summary: string
  readonly from: 'core' | 'built-in' | 'package' | 'file'
  /** Path of the package or file. */
  readonly origin: string | undefined
  readonly version: string | undefined
  readonly fills: readonly { readonly point: string; readonly name: string }[]
  readonly provides: readonly string[]
  readonly offers: readonly string[]
}

/** What serves a place, known without creating anything. */
export interface ResolvedSlot {
  readonly host: string | undefined
  readonly point: string
  readonly path: string
  readonly entries: readonly { readonly name: string; readonly plugin: string; readonly path: string; readonly optional: boolean; readonly about: unknown }[]
  /** Contributions that are there but not in use, with the reason. */
  readonly off: readonly { readonly name: string; readonly plugin: string; readonly why: string }[]
}

/** The whole wiring without a running server: what `check`, `explain` and `plugins` print. */
export interface Wiring<P extends KernelPlan> {
  readonly plan: P
  /** Errors and warnings, in the order of the file. */
  readonly problems: readonly Problem[]
  readonly plugins: readonly LoadedPlugin[]
  readonly slots: readonly ResolvedSlot[]
}

/** The running kernel. */
export interface Kernel<P extends KernelPlan> {
  /** Of the last successful start or reload. */
  readonly plan: P
  readonly process: ScopeView
  readonly hosts: ReadonlyMap<string, HostView>
  host(id: string): HostView | undefined
  readonly wiring: Wiring<P>
  /** How long each step of the start took. */
  readonly timing: Step
  /**
   * Validated whole, then host by host. New holds get the new host; old ones keep theirs until they are given back.
   * @throws StartFailure and changes nothing when the new plan has problems or a host cannot be created.
   */
  reload(source: PlanSource<P>): Promise<Reloaded>
  /** Services first, then hosts, then the process, each in reverse order of creation. Never rejects; twice does no harm. */
  stop(): Promise<void>
}
