import type { SecretSource } from './settings.js'

declare const carries: unique symbol

/** Lifetime of a thing; a longer-lived thing can never ask for a shorter-lived one. */
export type Scope = 'process' | 'host' | 'session'
/** What an operating-system process is there for; the `single` and `workers` models play all three in one process. */
export type Role = 'main' | 'front' | 'auth' | 'mail'

/** Every role; the default of a token. */
export const ALL_ROLES: readonly Role[] = ['main', 'front', 'auth', 'mail']

/** Asking side of a service: covariant, so a `Token<FileLocker>` serves where a `Token<Locker>` is wanted. */
export interface Token<T, S extends Scope = Scope> {
  readonly id: string
  readonly scope: S
  readonly [carries]?: () => T
}
/** Owning side: invariant, and the only thing `provide` accepts, so a widened token cannot be filled with the wrong thing. */
export interface OwnToken<T, S extends Scope = Scope> extends Token<T, S> {
  /** Where it may be created; a need for it elsewhere is a start-up problem (secrets stay in `auth`). */
  readonly roles: readonly Role[]
  readonly owns?: (value: T) => T
}
/** Scope last, so that `T` is given and the scope inferred. */
export function createToken<T>(id: string): { in<S extends Scope>(scope: S, roles?: readonly Role[]): OwnToken<T, S> } {
  return { in: (scope, roles = ALL_ROLES) => Object.freeze({ id, scope, roles }) }
}

/** How many contributions of a point the configuration chooses: one, an ordered list, or all that are loaded. */
export type Pick = 'one' | 'ordered' | 'all'

/** A variable point. `Made` is what a contribution creates, `About` what can be known of it without creating it. */
export interface ExtensionPoint<Made, S extends Scope = Scope, K extends Pick = Pick, About = undefined> {
  readonly id: string
  readonly scope: S
  readonly pick: K
  /** Processes in which contributions are created; elsewhere only `about` exists. */
  readonly roles: readonly Role[]
  /** Place in the configuration, such as `hosts.*.auth.passwords`; third parties add points, hence places, of their own. */
  readonly slot: string
  readonly [carries]?: (x: readonly [Made, About]) => readonly [Made, About]
}
/** Place, number and processes of a point stand together, as data. */
export function extensionPoint<Made, About = undefined>(
  id: string,
): {
  in<S extends Scope, const K extends Pick>(where: { scope: S; pick: K; roles: readonly Role[]; slot: string }): ExtensionPoint<Made, S, K, About>
} {
  return { in: (where) => Object.freeze({ id, ...where }) }
}

/** A need for contributions instead of a service. */
export interface Chosen<T, S extends Scope = Scope> {
  readonly point: string
  readonly from: 'host' | 'own-settings'
  readonly scope: S
  /** A list, in the order of the configuration. */
  readonly many: boolean
  /** `made`: the thing alone; `entry`: with name and `about`; `known`: name and `about` alone, which every process has. */
  readonly gives: 'made' | 'entry' | 'known'
  readonly [carries]?: () => T
}
type PickedOf<Made, K extends Pick> = K extends 'one' ? Made : readonly Made[]
/** What the host's configuration chose for the point (a protocol asks for its commands this way). */
export function chosen<M, S extends Scope, K extends Pick, A>(point: ExtensionPoint<M, S, K, A>): Chosen<PickedOf<M, K>, S> {
  return { point: point.id, from: 'host', scope: point.scope, many: point.pick !== 'one', gives: 'made' }
}
/** What was created, with what is known of it. */
export interface Entry<Made, About> {
  /** Short name in the configuration, such as `unix`. */
  readonly name: string
  readonly plugin: string
  readonly about: About
  readonly made: Made
}
/** What the host's configuration chose for the point, in its order, with names and `about` (a gate needs the mechanisms' names). */
export function chosenEntries<M, S extends Scope, A>(point: ExtensionPoint<M, S, Pick, A>): Chosen<readonly Entry<M, A>[], S> {
  return { point: point.id, from: 'host', scope: point.scope, many: true, gives: 'entry' }
}
/** What is known of a choice without creating it. */
export type Known<About> = Omit<Entry<never, About>, 'made'>
/** The same without the things themselves, so that a process that plays none of the point's roles can ask too (a greeting lists what the mail process serves). */
export function chosenKnown<M, S extends Scope, A>(point: ExtensionPoint<M, S, Pick, A>): Chosen<readonly Known<A>[], S> {
  return { point: point.id, from: 'host', scope: point.scope, many: true, gives: 'known' }
}
/** What is nested under the same key of this contribution's own settings (`from: { use: unix }`): how a layer receives what it wraps. */
export function nested<M, S extends Scope, A>(point: ExtensionPoint<M, S, Pick, A>): Chosen<M, S> {
  return { point: point.id, from: 'own-settings', scope: point.scope, many: false, gives: 'made' }
}
/** The same for a list, in the order of the configuration. */
export function nestedList<M, S extends Scope, A>(point: ExtensionPoint<M, S, Pick, A>): Chosen<readonly M[], S> {
  return { point: point.id, from: 'own-settings', scope: point.scope, many: true, gives: 'made' }
}

type Visible<S extends Scope> = S extends 'process' ? 'process' : S extends 'host' ? 'process' | 'host' : Scope
/** Named needs; a shorter-lived one is a compile error. */
export type Needs<S extends Scope> = Readonly<Record<string, Token<unknown, Visible<S>> | Chosen<unknown, Visible<S>>>>
/** What `create` receives for them. */
export type Resolved<N> = {
  readonly [K in keyof N]: N[K] extends Chosen<infer T, Scope> ? T : N[K] extends Token<infer T, Scope> ? T : never
}

/** Standard Schema v1; pure: validated again in every process, because only the unvalidated input crosses. */
export interface Settings<Out> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Checked<Out> | Promise<Checked<Out>>
    readonly types?: { readonly input: unknown; readonly output: Out } | undefined
  }
}
/** Standard Schema's answer; every problem at once. */
export type Checked<Out> = { readonly value: Out; readonly issues?: undefined } | { readonly issues: readonly Issue[] }
/** Standard Schema's problem; the path becomes the place in the file. */
export interface Issue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** Where in the configuration a contribution stands; the same contribution may stand in several places. */
export interface Site {
  readonly path: string
  readonly label: string
  readonly host: string | undefined
  readonly role: Role
  readonly signal: AbortSignal
  warn(message: string): void
  /** Absolute path; a relative one is relative to the configuration file in which this contribution stands. */
  resolve(path: string): string
  /** Reads a file (without its last line end) or an environment variable; throws with a text for the operator. */
  secret(from: SecretSource): Promise<Secret>
}

/** What `create` makes is closed, in reverse order, when it has `[Symbol.asyncDispose]`; so a class closes itself, wherever it is used. */
export type Closing<T> = T & Partial<AsyncDisposable>
interface ContributionBase<Made, S extends Scope, Out, N extends Needs<S>> {
  readonly name: string
  readonly settings: Settings<Out>
  readonly needs?: N
  /** Narrows the point's roles, never widens them. */
  readonly roles?: readonly Role[]
  create(settings: Out, needs: Resolved<N>, site: Site): Closing<Made> | Promise<Closing<Made>>
}
/** One choice at a point. `about` is required exactly when the point asks for it. */
export type Contribution<Made, S extends Scope, Out, N extends Needs<S>, About> = ContributionBase<Made, S, Out, N> &
  (undefined extends About ? { readonly about?: undefined } : { readonly about: About })
/** Refuses every key. */
export const noSettings: Settings<Record<never, never>> = {
  '~standard': {
    version: 1,
    vendor: 'mailwright',
    validate(value) {
      if (value === undefined || value === null) return { value: {} }
      if (typeof value !== 'object' || Array.isArray(value)) return { issues: [{ message: 'expected no settings' }] }
      const keys = Object.keys(value)
      if (keys.length === 0) return { value: {} }
      return { issues: keys.map((key) => ({ message: `unknown setting "${key}": this choice takes no settings`, path: [key] })) }
    },
  },
}

/** All a plugin may do at load: declare. No file, socket or clock. */
export interface PluginSetup {
  provide<T, S extends Scope, const N extends Needs<S> = Record<never, never>>(
    token: OwnToken<T, S>,
    how: { needs?: N; create(needs: Resolved<N>): Closing<NoInfer<T>> | Promise<Closing<NoInfer<T>>> },
  ): void
  /** In two steps, so that the point fixes `Made` before `create` is looked at: inline literals keep their types in every compiler. */
  to<Made, S extends Scope, K extends Pick, About>(
    point: ExtensionPoint<Made, S, K, About>,
  ): {
    contribute<Out, const N extends Needs<S> = Record<never, never>>(what: Contribution<Made, S, Out, N, About>): void
  }
  /** Declares a point of the plugin's own, with its place in the configuration. */
  offer<Made, S extends Scope, K extends Pick, About>(point: ExtensionPoint<Made, S, K, About>): void
}
/** What a package exports by default. */
export interface Plugin {
  readonly id: string
  readonly api: `${number}.${number}`
  readonly summary: string
  setup(p: PluginSetup): void
}
/** Adds the brand (`Symbol.for`) that survives two copies of this package. */
export function definePlugin(p: Plugin): Plugin {
  return Object.freeze({ ...p, [PLUGIN_BRAND]: true })
}
/** The same symbol in every copy of this package. */
export const PLUGIN_BRAND: unique symbol = Symbol.for('mailwright.plugin')
/** The version of this plugin API: a plugin's major must be equal, its minor at most this one. */
export const API_VERSION = '1.0'

/** Work with a beginning and an end but no caller (an admin page, a spool watcher); replaces start and stop hooks. */
export interface Service {
  start(signal: AbortSignal): Promise<void>
  stop(signal: AbortSignal): Promise<void>
}
/** Started after warm-up, stopped before anything they need. */
export const services = extensionPoint<Service>('process.services').in({ scope: 'process', pick: 'ordered', roles: ['front'], slot: 'services' })

/** A value that no logger or transcript prints. */
export interface Secret {
  reveal(): Uint8Array
  readonly [Symbol.toStringTag]: 'Secret'
}
/** Makes a secret of octets; the octets are kept, not copied. */
export function secret(octets: Uint8Array): Secret {
  return Object.freeze({
    reveal: () => octets,
    [Symbol.toStringTag]: 'Secret' as const,
    toString: () => '[secret]',
    toJSON: () => '[secret]',
    [Symbol.for('nodejs.util.inspect.custom')]: () => '[secret]',
  })
}
/** Bytes for the way between processes and to disk. */
export interface Codec<T> {
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}
/** Facts apart from text, so that redaction works. */
export interface Logger {
  debug(event: string, facts?: object): void
  info(event: string, facts?: object): void
  warn(event: string, facts?: object): void
  error(event: string, facts?: object): void
}
/** Time from a token: tests hold it still, replay repeats it. */
export interface Clock {
  /** Milliseconds since 1970, as the machine tells everybody: what dates and times of files are compared with. They jump when the machine's time is set. */
  now(): number
  /** Milliseconds since some moment, which go on evenly whatever the machine's time is set to: how long something took, and until when it is waited for. */
  steady(): number
  after(ms: number, run: () => void): Disposable
}

/** Ready-made process services. */
export const LOGGER = createToken<Logger>('logger').in('process')
export const CLOCK = createToken<Clock>('clock').in('process')
export const RANDOM = createToken<(octets: number) => Uint8Array>('random').in('process')
