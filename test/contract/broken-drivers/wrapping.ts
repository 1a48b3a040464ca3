import { delegate, type Delivery, type Files, type MailboxSource, type MailDriver, type MailLocation, type MailStore, type OpenFile, type TableEdit } from 'mailwright/api'
import type { KitServices } from 'mailwright/testing'
import { createLedgerDriver, type LedgerRules } from '../../support/ledger-driver.js'

/** What a broken driver does in place of the right thing; the members that it does not name stay right. */
export interface Defect {
  readonly rules?: Partial<LedgerRules>
  store?(inner: MailStore): Partial<MailStore>
  source?(inner: MailboxSource, at: MailLocation): Partial<MailboxSource>
  delivery?(inner: Delivery, at: MailLocation, store: MailStore): Partial<Delivery>
  /** What the source is given instead of the table's own edit. */
  edit?(inner: TableEdit): Partial<TableEdit>
  files?(inner: Files): Partial<Files>
  file?(inner: OpenFile): Partial<OpenFile>
}

/** The honest ledger driver with one defect. */
export function brokenDriver(services: KitServices, defect: Defect): MailDriver {
  const { files, file, rules } = defect
  const disk = files === undefined && file === undefined ? services.files : overlaid(services.files, { ...(file === undefined ? {} : opensAs(services.files, file)), ...files?.(services.files) })
  const inner = createLedgerDriver({ ...services, files: disk }, rules)
  return {
    async openStore(user, signal) {
      const store = await inner.openStore(user, signal)
      return overlaid(store, { ...wrappedParts(store, defect), ...defect.store?.(store) })
    },
  }
}

function wrappedParts(store: MailStore, defect: Defect): Partial<MailStore> {
  return {
    async find(at, signal) {
      const found = await store.find(at, signal)
      return found === undefined ? undefined : { ...found, open: async (s) => wrappedSource(await found.open(s), at, defect) }
    },
    async append(at, signal) {
      const delivery = await store.append(at, signal)
      return overlaid(delivery, defect.delivery?.(delivery, at, store) ?? {})
    },
  }
}

function wrappedSource(source: MailboxSource, at: MailLocation, defect: Defect): MailboxSource {
  const change = defect.edit
  const given = change === undefined ? (edit: TableEdit) => edit : (edit: TableEdit) => overlaid(edit, change(edit))
  const viaEdit = delegate<MailboxSource>(source, ['watch', 'checkpoint'], {
    refresh: (edit, how, signal) => source.refresh(given(edit), how, signal),
    store: (flags, edit, signal) => source.store(flags, given(edit), signal),
    expunge: (among, how, edit, signal) => source.expunge(among, how, given(edit), signal),
  })
  return overlaid(viaEdit, defect.source?.(viaEdit, at) ?? {})
}

function opensAs(files: Files, file: (inner: OpenFile) => Partial<OpenFile>): Partial<Files> {
  return {
    async open(path, how) {
      const inner = await files.open(path, how)
      return overlaid(inner, file(inner))
    },
  }
}

/** `inner` with some members replaced; methods keep their own `this`. */
export function overlaid<T extends object>(inner: T, change: Partial<T>): T {
  return new Proxy(inner, {
    get(target, key) {
      if (key in change) return Reflect.get(change, key) as unknown
      const member: unknown = Reflect.get(target, key, target)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  })
}
