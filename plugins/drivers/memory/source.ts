import { MailError, SYSTEM, uids } from 'mailwright/api'
import type {
  CopyResult,
  FlagChange,
  FlagSetId,
  MailboxSource,
  MailLocation,
  Row,
  SourceTraits,
  StoredMessage,
  TableEdit,
  UidSet,
  Wants,
} from 'mailwright/api'
import type { MemoryMailbox, MemoryMessage } from './mailbox.js'

const BATCH = 64

/** Finds the mailbox that a copy goes to; undefined when it is not one of this store. */
export type FindTarget = (at: MailLocation) => MemoryMailbox | undefined

/** The messages that a set names, ascending. */
function* present(set: UidSet, messages: ReadonlyMap<number, MemoryMessage>): Generator<MemoryMessage> {
  if (set.count > messages.size) {
    for (const message of messages.values()) if (set.has(message.uid)) yield message
    return
  }
  for (let i = 0; i < set.ranges.length; i += 2) {
    for (let uid = set.ranges[i]!; uid <= set.ranges[i + 1]!; uid++) {
      const message = messages.get(uid)
      if (message !== undefined) yield message
    }
  }
}
/** Writes a message's row. */
export function addRow(edit: TableEdit, m: MemoryMessage): void {
  const row = edit.add(m.uid, edit.flagSet(m.system, m.keywords), m.recent)
  edit.setSize(row, m.octets.length)
  edit.setDate(row, m.date.ms, m.date.zone)
}

/** The reference source: every ability of the contract, in its plainest form. */
export class MemorySource implements MailboxSource {
  readonly traits: SourceTraits = { writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [] }
  readonly #mailbox: MemoryMailbox
  readonly #target: FindTarget
  constructor(mailbox: MemoryMailbox, target: FindTarget) {
    this.#mailbox = mailbox
    this.#target = target
  }
  async refresh(edit: TableEdit, how: { readonly claimRecent: boolean }): Promise<void> {
    const m = this.#mailbox
    if (edit.uidValidity !== m.uidValidity) edit.reset(m.uidValidity)
    if (edit.stamp !== m.stamp) {
      edit.keywords(this.#keywords(), true)
      this.#compare(edit)
    }
    if (how.claimRecent) for (const message of m.messages.values()) message.recent = false
    edit.uidNext = m.uidNext
    edit.stamp = m.stamp
  }
  #keywords(): readonly string[] {
    const names = new Map<string, string>()
    for (const m of this.#mailbox.messages.values()) for (const k of m.keywords) if (!names.has(k.toLowerCase())) names.set(k.toLowerCase(), k)
    return [...names.values()]
  }
  #compare(edit: TableEdit): void {
    const { messages } = this.#mailbox
    const { rows } = edit
    const gone: number[] = []
    const had = rows.length
    for (let row = 0; row < had; row++) {
      const message = messages.get(rows.uid[row]!)
      // Rows below `length` are rows.
      if (message === undefined) gone.push(rows.uid[row]!)
      else edit.setFlags(row as Row, edit.flagSet(message.system, message.keywords))
    }
    edit.remove(uids.from(gone))
    const last = had === 0 ? 0 : rows.uid[had - 1]!
    for (const message of messages.values()) if (message.uid > last) addRow(edit, message)
  }
  async store(change: FlagChange, edit: TableEdit): Promise<UidSet> {
    await this.refresh(edit, { claimRecent: false })
    const { changed, refused } = edit.apply(change)
    for (const message of present(changed, this.#mailbox.messages)) this.#write(message, edit)
    return this.#done(edit, refused)
  }
  #write(message: MemoryMessage, edit: TableEdit): void {
    const row = edit.rows.find(message.uid)
    if (row === -1) return
    // A column of flags holds ids of flag sets.
    const flags = edit.rows.flagSets[edit.rows.flags[row]! as FlagSetId]!
    message.system = flags.system
    message.keywords = flags.keywords
  }
  /** The change is in the table already: watchers need not look. */
  #done<T>(edit: TableEdit, value: T): T {
    this.#mailbox.changed(false)
    edit.stamp = this.#mailbox.stamp
    return value
  }
  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit): Promise<void> {
    await this.refresh(edit, { claimRecent: false })
    const doomed = [...present(among, this.#mailbox.messages)].filter((m) => how.always || (m.system & SYSTEM.deleted) !== 0).map((m) => m.uid)
    for (const uid of doomed) this.#mailbox.remove(uid)
    edit.remove(uids.from(doomed))
    this.#done(edit, undefined)
  }
  async *read(set: UidSet, _wants: Wants): AsyncGenerator<readonly StoredMessage[]> {
    const { messages, ghosts } = this.#mailbox
    let batch: StoredMessage[] = []
    const found = [...present(set, messages)]
    if (ghosts.size > 0) found.push(...present(set, ghosts))
    found.sort((a, b) => a.uid - b.uid)
    for (const m of found) {
      batch.push({ uid: m.uid, headerSize: m.headerSize, bytes: bytesOf(m.octets) })
      if (batch.length < BATCH) continue
      yield batch
      batch = []
    }
    if (batch.length > 0) yield batch
  }
  async reclaim(): Promise<void> {
    this.#mailbox.ghosts.clear()
  }
  watch(changed: () => void): Disposable {
    return this.#mailbox.watch(changed)
  }
  async copy(set: UidSet, to: MailLocation, how: 'copy' | 'move', edit: TableEdit): Promise<CopyResult | undefined> {
    const target = this.#target(to)
    if (target === undefined) return undefined
    // The stamp at the end says that the table knows all: what arrived unseen comes first.
    await this.refresh(edit, { claimRecent: false })
    const from = [...present(set, this.#mailbox.messages)]
    if (from.length !== set.count) throw new MailError('vanished', 'some of the messages are gone')
    const made = from.map((m) => target.add({ octets: m.octets, date: m.date, system: m.system, keywords: m.keywords, recent: true }))
    if (how === 'move') {
      for (const m of from) this.#mailbox.remove(m.uid)
      edit.remove(uids.from(from.map((m) => m.uid)))
      this.#mailbox.changed(false)
    }
    target.changed(target !== this.#mailbox)
    if (target === this.#mailbox) {
      for (const m of made) addRow(edit, m)
      edit.uidNext = target.uidNext
    }
    edit.stamp = this.#mailbox.stamp
    return { uidValidity: target.uidValidity, from: uids.from(from.map((m) => m.uid)), to: uids.from(made.map((m) => m.uid)) }
  }
  async close(): Promise<void> {}
}

function bytesOf(octets: Uint8Array): StoredMessage['bytes'] {
  return {
    size: octets.length,
    inline: octets,
    read: async (at, into) => {
      const piece = octets.subarray(at, at + into.length)
      into.set(piece)
      return piece.length
    },
  }
}
