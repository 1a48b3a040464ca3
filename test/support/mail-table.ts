import { uids } from '../../core/api/index.js'
import type { FlagChange, Located, MailboxSource, Rights, SourceTraits, StoredMessage, TableEdit, UidSet } from '../../core/api/index.js'
import { SharedMailbox } from '../../core/mail/registry/shared-mailbox.js'
import { MailTable } from '../../core/mail/table/table.js'
import { TableView, type ViewOwner } from '../../core/mail/view/view.js'
import { QuietLogger, StillClock, named, testSettings } from './mail.js'

/** A source whose mailbox is whatever the test edits; it finds nothing by itself. */
export class PassiveSource implements MailboxSource {
  readonly traits: SourceTraits
  constructor(traits: Partial<SourceTraits> = {}) {
    this.traits = { writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [], ...traits }
  }
  async refresh(_edit: TableEdit): Promise<void> {}
  async store(change: FlagChange, edit: TableEdit): Promise<UidSet> {
    return edit.apply(change).refused
  }
  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit): Promise<void> {
    edit.remove(how.always ? among : edit.deleted(among))
  }
  async *read(): AsyncGenerator<readonly StoredMessage[]> {}
  async close(): Promise<void> {}
}
/** Of views that stand alone: nobody searches, copies or hears. */
export const nobodysLogin: ViewOwner = {
  derivers: new Map(),
  copy: async () => undefined,
  search: async () => uids.none,
  sort: async () => new Uint32Array(0), threads: () => Promise.resolve([]), values: () => Promise.resolve([]),
  tellWait: () => undefined,
  beforeSync: () => Promise.resolve(),
  closed: async () => {},
  listening: () => ({ [Symbol.dispose]: () => undefined }),
}
export const place: Located = {
  name: named('INBOX'),
  at: { mount: { prefix: '', class: 'personal', store: 'test', root: '/', advertised: true, listed: true }, path: 'INBOX' },
  rights: 'lrswipkxtea' as Rights,
}
/** A shared mailbox over a source, with views made without a login. */
export function sharedOver(source: MailboxSource, more: { readonly clock?: StillClock; readonly firstModseq?: number; readonly logLinks?: number } = {}) {
  const table = new MailTable({ ownModseqs: source.traits.modseqs === 'own', firstModseq: more.firstModseq ?? 1, logLinks: more.logLinks ?? 1024 })
  const shared = new SharedMailbox({
    key: 'test',
    source,
    table,
    state: undefined,
    settings: testSettings,
    clock: more.clock ?? new StillClock(),
    logger: new QuietLogger(),
  })
  return { shared, table, view: (readOnly = false) => new TableView(shared, place, readOnly, nobodysLogin) }
}
