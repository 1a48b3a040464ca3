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
  MessageValue,
  Modifier,
  SealedModifier,
  SearchKey,
  SearchPlan,
  SelectPlan,
  StatusItem,
  StorePlan,
  StoreTarget,
  Threading,
} from '../../api/index.js'
import { blaming } from './blame.js'
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
  readonly sortKeys: Named<MessageValue>
  readonly threadings: Named<Threading>
  readonly statusItems: Named<StatusItem>
  readonly listSelections: Named<Modifier<ListPlan, unknown>>
  readonly listReturns: Named<Modifier<ListPlan, unknown>>
  readonly selected: readonly NonNullable<ImapExtension['selected']>[]
  readonly completing: readonly Owned<NonNullable<ImapExtension['completing']>>[]
  readonly heard: readonly Owned<NonNullable<ImapExtension['heard']>>[]
  /** Id of the plugin that brought a command. */
  readonly ownerOf: (command: BufferedRun | StreamingRun) => string
}
/** A part, and the plugin to name when it fails. */
export interface Owned<T> {
  readonly plugin: string
  readonly call: T
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
  /** The parts of one kind, list by list; what they throw is their plugin's. */
  const parts = <T extends object>(of: (e: ImapExtension) => readonly T[] | undefined): readonly (readonly T[] | undefined)[] =>
    entries.map((e) => of(e.made)?.map((part) => blaming(part, e.plugin)))
  const owners = new Map<unknown, string>(entries.flatMap((e) => (e.made.commands ?? []).map((c) => [unsealCommand(c), e.plugin] as const)))
  return Object.freeze({
    extensions: new Set(entries.map((e) => e.name)),
    about: entries.map((e) => e.about),
    commands: commandTable(made),
    enable: new Map(made.flatMap((e) => (e.enable === undefined ? [] : [[e.enable.name.toUpperCase(), e.enable] as const]))),
    select: modifiers(parts((e) => e.select)),
    fetch: modifiers(parts((e) => e.fetch)),
    fetchItems: byName(parts((e) => e.fetchItems?.map(unsealItem))),
    store: modifiers(parts((e) => e.store)),
    storeTargets: byName(parts((e) => e.storeTargets?.map(unsealTarget))),
    append: modifiers(parts((e) => e.append)),
    appendSources: byName(parts((e) => e.appendSources)),
    create: modifiers(parts((e) => e.create)),
    searchKeys: byName(parts((e) => e.searchKeys)),
    searchReturns: modifiers(parts((e) => e.searchReturns)),
    sortKeys: byName(parts((e) => e.sortKeys)),
    threadings: byName(parts((e) => e.threadings)),
    statusItems: byName(parts((e) => e.statusItems)),
    listSelections: modifiers(parts((e) => e.listSelections)),
    listReturns: modifiers(parts((e) => e.listReturns)),
    // Bound to their extension, which may be an object with a state of its own.
    selected: present(entries.map(({ made: e, plugin }) => (e.selected === undefined ? undefined : blaming({ call: e.selected.bind(e) }, plugin).call))),
    completing: present(entries.map(({ made: e, plugin }) => (e.completing === undefined ? undefined : { plugin, call: e.completing.bind(e) }))),
    heard: present(entries.map(({ made: e, plugin }) => (e.heard === undefined ? undefined : { plugin, call: e.heard.bind(e) }))),
    ownerOf: (command: BufferedRun | StreamingRun) => owners.get(command) ?? 'core-imapd',
  })
}
