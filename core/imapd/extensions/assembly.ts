import type { Workaround } from '../../api/index.js'
import { weigh } from './requirements.js'
import type { HostAbilities } from './requirements.js'
import { tablesOf } from './tables.js'
import type { ExtensionEntry, ImapTables } from './tables.js'

/** Name of the base commands among the extensions. */
export const BASE_EXTENSION = 'base'

/**
 * The extensions of one host. Sessions whose client needs no other set share one table; every other set is put together once
 * and kept, since there are as many as workarounds combine.
 */
export class ExtensionAssembly {
  /** Extensions that are off for everybody, with the reason. */
  readonly off: ReadonlyMap<string, string>
  readonly #entries: readonly ExtensionEntry[]
  readonly #special: ReadonlySet<string>
  readonly #host: HostAbilities
  readonly #made = new Map<string, ImapTables>()

  /**
   * @param base the base commands: always first, and always there, so that replacing is possible and leaving out is not.
   */
  constructor(base: ExtensionEntry, entries: readonly ExtensionEntry[], workarounds: readonly Workaround[], host: HostAbilities) {
    this.#entries = [entries.find((e) => e.name === BASE_EXTENSION) ?? base, ...entries.filter((e) => e.name !== BASE_EXTENSION)]
    this.#special = new Set(workarounds.flatMap((w) => w.with ?? []))
    this.#host = host
    this.off = weigh(this.#entries, host).off
  }

  /** Tables of a session for which workarounds switch these extensions on and off; off wins. */
  tables(client: { readonly with: ReadonlySet<string>; readonly without: ReadonlySet<string> }): ImapTables {
    const chosen = this.#entries.filter((e) => {
      if (e.name === BASE_EXTENSION) return true
      return !client.without.has(e.name) && (!this.#special.has(e.name) || client.with.has(e.name))
    })
    const key = chosen.map((e) => e.name).join(' ')
    let tables = this.#made.get(key)
    if (tables === undefined) {
      tables = tablesOf(weigh(chosen, this.#host).on)
      this.#made.set(key, tables)
    }
    return tables
  }
}
