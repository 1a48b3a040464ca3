import type { Entry, Pop3Command, Pop3Extension, Pop3ExtensionAbout, Pop3State } from '../api/index.js'

/** An extension as the configuration chose it. */
export type ExtensionEntry = Entry<Pop3Extension, Pop3ExtensionAbout>
/** Name of the base commands among the extensions. */
export const BASE_EXTENSION = 'base'

/** All that the extensions of a host offer; frozen, and shared by all sessions with the same set. */
export interface Pop3Tables {
  readonly names: ReadonlySet<string>
  readonly about: readonly Pop3ExtensionAbout[]
  readonly made: readonly Pop3Extension[]
  readonly commands: Readonly<Record<Pop3State, ReadonlyMap<string, Pop3Command>>>
}

/** Puts the parts together. */
export function tablesOf(entries: readonly ExtensionEntry[]): Pop3Tables {
  const commands = { authorization: new Map<string, Pop3Command>(), transaction: new Map<string, Pop3Command>() }
  for (const { made } of entries) {
    for (const command of made.commands ?? []) for (const state of command.states) commands[state].set(command.name.toUpperCase(), command)
  }
  return Object.freeze({ names: new Set(entries.map((e) => e.name)), about: entries.map((e) => e.about), made: entries.map((e) => e.made), commands })
}

/** The extensions of one host, less those that lack another one; one table per set that workarounds leave over. */
export class Pop3Assembly {
  /** Extensions that are off for everybody, with the reason. */
  readonly off: ReadonlyMap<string, string>
  readonly #entries: readonly ExtensionEntry[]
  readonly #made = new Map<string, Pop3Tables>()

  /** @param base the base commands: always first, and always there. */
  constructor(base: ExtensionEntry, entries: readonly ExtensionEntry[]) {
    this.#entries = [entries.find((e) => e.name === BASE_EXTENSION) ?? base, ...entries.filter((e) => e.name !== BASE_EXTENSION)]
    this.off = weigh(this.#entries).off
  }
  /** Tables of a session for which workarounds switch these extensions off. */
  tables(client: { readonly without: ReadonlySet<string> }): Pop3Tables {
    const chosen = this.#entries.filter((e) => e.name === BASE_EXTENSION || !client.without.has(e.name))
    const key = chosen.map((e) => e.name).join(' ')
    let tables = this.#made.get(key)
    if (tables === undefined) this.#made.set(key, (tables = tablesOf(weigh(chosen).on)))
    return tables
  }
}

function weigh(entries: readonly ExtensionEntry[]): { readonly on: readonly ExtensionEntry[]; readonly off: ReadonlyMap<string, string> } {
  const off = new Map<string, string>()
  for (let on = entries; ; ) {
    const names = new Set(on.map((e) => e.name))
    const kept = on.filter((e) => {
      const missing = e.about.requires.find((r) => !names.has(r.extension))
      if (missing !== undefined) off.set(e.name, `it needs the extension "${missing.extension}"`)
      return missing === undefined
    })
    if (kept.length === on.length) return { on, off }
    on = kept
  }
}
