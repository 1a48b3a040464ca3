import type { DriverAbout, Requirement } from '../../api/index.js'
import type { ExtensionEntry } from './tables.js'

/** What the host has, as far as an extension may require it. */
export interface HostAbilities {
  /** Of every store and every format that the host uses. */
  readonly drivers: readonly DriverAbout[]
  readonly sidecars: boolean
  readonly layers: readonly string[]
}

function offers(about: DriverAbout, wanted: Partial<DriverAbout>): boolean {
  return Object.entries(wanted).every(([key, value]) => {
    // Every key of a Partial<DriverAbout> is one of DriverAbout.
    const has = about[key as keyof DriverAbout]
    if (!Array.isArray(value) || !Array.isArray(has)) return has === value
    return value.every((fact) => has.some((f) => f.id === (fact as { readonly id: string }).id))
  })
}

/** Why a requirement is not met; undefined when it is. */
function unmet(r: Requirement, host: HostAbilities, on: ReadonlySet<string>): string | undefined {
  if ('driver' in r) {
    if (r.or === 'emulated' || host.drivers.some((d) => offers(d, r.driver))) return undefined
    return `no driver of this host has ${Object.keys(r.driver).join(', ')}`
  }
  if ('sidecars' in r) return host.sidecars ? undefined : 'this host keeps no sidecars'
  if ('extension' in r) return on.has(r.extension) ? undefined : `it needs the extension "${r.extension}"`
  return host.layers.includes(r.layer) ? undefined : `it needs the transport layer "${r.layer}"`
}

/** Splits the extensions into those that can work here and those that cannot, with the reason; what needs a missing one is missing too. */
export function weigh(
  entries: readonly ExtensionEntry[],
  host: HostAbilities,
): { readonly on: readonly ExtensionEntry[]; readonly off: ReadonlyMap<string, string> } {
  const off = new Map<string, string>()
  let on = [...entries]
  for (;;) {
    const names = new Set(on.map((e) => e.name))
    const kept = on.filter((e) => {
      const reason = e.about.requires.map((r) => unmet(r, host, names)).find((text) => text !== undefined)
      if (reason !== undefined) off.set(e.name, reason)
      return reason === undefined
    })
    if (kept.length === on.length) return { on, off }
    on = kept
  }
}
