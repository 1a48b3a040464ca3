import type {
  AppendPlan,
  AppendSource,
  CreatePlan,
  Entry,
  FetchItem,
  FetchPlan,
  ImapExtension,
  ImapExtensionAbout,
  ListPlan,
  MailSession,
  Modifier,
  SealedModifier,
  SearchKey,
  SearchPlan,
  SelectPlan,
  StatusItem,
  StorePlan,
  StoreTarget,
} from '../../api/index.js'
import { unsealCommand, unsealItem, unsealModifier, unsealTarget } from './unseal.js'
import type { BufferedRun, StreamingRun } from './unseal.js'

/** An extension as the configuration chose it. */
export type ExtensionEntry = Entry<ImapExtension, ImapExtensionAbout>
type Named<T> = ReadonlyMap<string, T>

/** All that one set of extensions offers, by upper-case name; frozen, and shared by all sessions that have the same set. */
export interface ImapTables {
  /** Names of the extensions in the configuration, in its order. */
  readonly extensions: ReadonlySet<string>
  readonly about: readonly ImapExtensionAbout[]
  /** `FETCH`, `UID FETCH`. */
  readonly commands: Named<BufferedRun | StreamingRun>
  readonly enable: Named<{ on(session: MailSession): void | Promise<void> }>
  readonly select: Named<Modifier<SelectPlan, unknown>>
  readonly fetch: Named<Modifier<FetchPlan, unknown>>
  readonly fetchItems: Named<FetchItem<unknown>>
  readonly store: Named<Modifier<StorePlan, unknown>>
  readonly storeTargets: Named<StoreTarget<unknown>>
  readonly append: Named<Modifier<AppendPlan, unknown>>
  readonly appendSources: Named<AppendSource>
  readonly create: Named<Modifier<CreatePlan, unknown>>
  readonly searchKeys: Named<SearchKey>
  readonly searchReturns: Named<Modifier<SearchPlan, unknown>>
  readonly statusItems: Named<StatusItem>
  readonly listSelections: Named<Modifier<ListPlan, unknown>>
  readonly listReturns: Named<Modifier<ListPlan, unknown>>
  readonly selected: readonly NonNullable<ImapExtension['selected']>[]
  readonly completing: readonly NonNullable<ImapExtension['completing']>[]
  readonly heard: readonly NonNullable<ImapExtension['heard']>[]
}

function byName<T extends { readonly name: string }>(lists: readonly (readonly T[] | undefined)[]): Named<T> {
  return new Map(lists.flatMap((list) => (list ?? []).map((one) => [one.name.toUpperCase(), one] as const)))
}
function modifiers<Plan>(lists: readonly (readonly SealedModifier<Plan>[] | undefined)[]): Named<Modifier<Plan, unknown>> {
  return byName(lists.map((list) => list?.map(unsealModifier)))
}
function commandTable(made: readonly ImapExtension[]): Named<BufferedRun | StreamingRun> {
  const table = new Map<string, BufferedRun | StreamingRun>()
  const later: (BufferedRun | StreamingRun)[] = []
  for (const extension of made) {
    for (const sealed of extension.commands ?? []) {
      const command = unsealCommand(sealed)
      // Replacements come last, whatever the order of the configuration.
      if (command.replaces === undefined) enter(table, command)
      else later.push(command)
    }
  }
  for (const command of later) {
    const replaced = command.replaces?.toUpperCase() ?? ''
    if (command.uidForm !== 'only') table.delete(replaced)
    if (command.uidForm !== 'no') table.delete(`UID ${replaced}`)
    enter(table, command)
  }
  return table
}
function enter(table: Map<string, BufferedRun | StreamingRun>, command: BufferedRun | StreamingRun): void {
  const name = command.name.toUpperCase()
  if (command.uidForm !== 'only') table.set(name, command)
  if (command.uidForm !== 'no') table.set(`UID ${name}`, command)
}
function present<T>(list: readonly (T | undefined)[]): readonly T[] {
  return list.filter((one) => one !== undefined)
}

/** Puts the extensions' parts together; of two with one name the later one counts. */
export function tablesOf(entries: readonly ExtensionEntry[]): ImapTables {
  const made = entries.map((e) => e.made)
  return Object.freeze({
    extensions: new Set(entries.map((e) => e.name)),
    about: entries.map((e) => e.about),
    commands: commandTable(made),
    enable: new Map(made.flatMap((e) => (e.enable === undefined ? [] : [[e.enable.name.toUpperCase(), e.enable] as const]))),
    select: modifiers(made.map((e) => e.select)),
    fetch: modifiers(made.map((e) => e.fetch)),
    fetchItems: byName(made.map((e) => e.fetchItems?.map(unsealItem))),
    store: modifiers(made.map((e) => e.store)),
    storeTargets: byName(made.map((e) => e.storeTargets?.map(unsealTarget))),
    append: modifiers(made.map((e) => e.append)),
    appendSources: byName(made.map((e) => e.appendSources)),
    create: modifiers(made.map((e) => e.create)),
    searchKeys: byName(made.map((e) => e.searchKeys)),
    searchReturns: modifiers(made.map((e) => e.searchReturns)),
    statusItems: byName(made.map((e) => e.statusItems)),
    listSelections: modifiers(made.map((e) => e.listSelections)),
    listReturns: modifiers(made.map((e) => e.listReturns)),
    // Bound to their extension, which may be an object with a state of its own.
    selected: present(made.map((e) => e.selected?.bind(e))),
    completing: present(made.map((e) => e.completing?.bind(e))),
    heard: present(made.map((e) => e.heard?.bind(e))),
  })
}
