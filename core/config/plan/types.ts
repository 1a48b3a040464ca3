import type { Problem } from '../../api/problem.js'
import type { Role, Scope, Token } from '../../api/kernel.js'
import type { SecretSource } from '../../api/settings.js'

/** A point as far as the configuration cares: its place, and how many it takes. */
export interface SlotPoint {
  readonly id: string
  readonly scope: Scope
  readonly pick: 'one' | 'ordered' | 'all'
  readonly roles: readonly Role[]
  readonly slot: string
}

/** One `use:`; `settings` are the other keys, not validated yet. */
export interface ChosenEntry {
  readonly use: string
  readonly path: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly optional: boolean
  readonly folder: string
}

/** What was chosen for one point; `entries` is undefined where nothing was said and nothing is the default. */
export interface ChosenSlot {
  readonly point: string
  readonly path: string
  readonly entries: readonly ChosenEntry[] | undefined
  readonly said: boolean
  readonly folder: string
  readonly without: readonly { readonly name: string; readonly path: string }[]
}

/** The process or a host, as the kernel takes it. */
export interface ConfigPart {
  readonly id: string
  readonly slots: readonly ChosenSlot[]
  readonly given: readonly { readonly token: Token<unknown>; readonly value: unknown }[]
  readonly said: unknown
}

/** A socket file that is listened on. */
export interface UnixPlan {
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  /** Names or numbers. */
  readonly owner: string | undefined
  readonly group: string | undefined
}
/** `listeners.*`; no address means all. */
export interface ListenerPlan {
  readonly id: string
  readonly path: string
  readonly protocol: string
  readonly address: readonly string[] | undefined
  readonly port: number
  /** Instead of addresses and a port, which is 0 then. */
  readonly unix: UnixPlan | undefined
  readonly tls: 'none' | 'starttls' | 'implicit'
  /** Networks of trusted proxies; when there are any, every connection must come through one. */
  readonly proxy: readonly string[]
  readonly rate: { readonly perMinute: number; readonly perAddressPerMinute: number }
}

/** A certificate in files; paths are absolute. */
export interface CertificatePlan {
  readonly certificate: string
  /** Undefined: in the certificate file. */
  readonly key: SecretSource | undefined
}
/** `hosts.*.tls`; paths are absolute. */
export interface TlsPlan {
  /** One for each key type, the preferred first; empty: none in files. */
  readonly certificates: readonly CertificatePlan[]
  /** OCSP response about the first. */
  readonly status: string | undefined
  readonly byAddress: { readonly certificates: string; readonly keys: string | undefined; readonly name: string } | undefined
  readonly selfSigned: string | undefined
  readonly clientAuthority: string | undefined
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly ciphers: string | undefined
  readonly curves: string | undefined
  readonly tickets: boolean
}
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** A virtual host. */
export interface HostPlan extends ConfigPart {
  readonly serverName: string
  readonly match: { readonly addresses: readonly string[]; readonly names: readonly string[]; readonly domains: readonly string[] }
  readonly tls: TlsPlan
}

/** `server`; paths are absolute. */
export interface ServerPlan {
  readonly name: string
  readonly runDirectory: string | undefined
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
  readonly drainTimeoutMs: number
}

/** Where a value comes from: `explain` prints it. */
export interface SettingSource {
  readonly path: string
  readonly value: unknown
  /** Undefined for a default. */
  readonly file: string | undefined
  readonly line: number | undefined
}

/** The whole configuration, checked as far as possible without plugins' settings. `default` is the first host. */
export interface ConfigPlan {
  readonly problems: readonly Problem[]
  readonly server: ServerPlan
  readonly processes: {
    readonly model: 'auto' | 'single' | 'workers' | 'per-user'
    /** Undefined: as many as suit the machine. */
    readonly workers: number | undefined
    readonly frontUser: string | undefined
    readonly authUser: string | undefined
    readonly mailUser: string | undefined
    readonly spare: number
    readonly idleMs: number
  }
  readonly listeners: readonly ListenerPlan[]
  /** What each listener is said to speak, also one that is wrong otherwise and not among the `listeners` for that. */
  readonly spoken: readonly { readonly protocol: string; readonly path: string }[]
  readonly process: ConfigPart
  readonly hosts: readonly HostPlan[]
  where(path: string): { readonly file: string; readonly line: number | undefined } | undefined
  /** Every core setting with its value and source. */
  readonly settings: readonly SettingSource[]
}

/** A configuration that was read; `plan` needs to know which points there are. */
export interface ConfigSource {
  /** The file it began with; undefined for a value given by a program. */
  readonly file: string | undefined
  /** Every file that was read. */
  readonly files: readonly string[]
  readonly folder: string
  readonly plugins: readonly { readonly module: string; readonly path: string; readonly optional: boolean; readonly folder: string }[]
  plan(points: readonly SlotPoint[]): ConfigPlan
}
