import type { Entry, ExtensionPoint, Plugin, PluginSetup } from '../../core/api/index.js'

interface Contributed<T, A> {
  readonly name: string
  readonly about: A
  readonly settings: { readonly '~standard': { validate(value: unknown): unknown } }
  readonly needs?: Readonly<Record<string, { readonly id: string }>>
  create(settings: unknown, needs: Readonly<Record<string, unknown>>, site: unknown): T
}
/** Settings of contributions by name; without a row the defaults. */
export type SettingsByName = Readonly<Record<string, object>>

/** What plugins contribute to a point of extensions, made as the kernel would; `given` has what they ask for, by the ids of the tokens. */
export async function contributedTo<T, A>(point: ExtensionPoint<T, 'host', 'all', A>, plugins: readonly Plugin[], given: ReadonlyMap<string, unknown>, settings: SettingsByName = {}): Promise<readonly Entry<T, A>[]> {
  const entries: Entry<T, A>[] = []
  for (const plugin of plugins) {
    const contributed: Contributed<T, A>[] = []
    // Of `setup` nothing but `to` is used, and of points nothing but the id is read.
    const setup = { to: ({ id }: { readonly id: string }) => ({ contribute: (what: Contributed<T, A>) => void (id === point.id && contributed.push(what)) }) }
    plugin.setup(setup as unknown as PluginSetup)
    for (const what of contributed) {
      const checked = (await what.settings['~standard'].validate(settings[what.name] ?? {})) as { readonly value: unknown }
      const needs = Object.fromEntries(Object.entries(what.needs ?? {}).map(([key, token]) => [key, given.get(token.id)]))
      entries.push({ name: what.name, plugin: plugin.id, about: what.about, made: what.create(checked.value, needs, { warn: () => undefined }) })
    }
  }
  return entries
}
