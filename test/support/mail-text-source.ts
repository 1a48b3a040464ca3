import { uids } from '../../core/api/index.js'
import type { FlagChange, FoundMailbox, MailboxSource, Row, SourceTraits, StoredMessage, TableEdit, UidSet } from '../../core/api/index.js'

/** The mailbox file of a text format, as far as flags go. Every change of it is durable at once. */
export class TextDisk {
  uidValidity = 7
  version = 1
  readonly messages = new Map<number, { system: number; keywords: readonly string[] }>()
  /** Called before the disk changes. */
  changing: () => void = () => undefined
  /** The next checkpoint finds that somebody else changed the file, and reads it anew. */
  interfere: (() => void) | undefined
  full = false
  checkpoints = 0
  clone(): TextDisk {
    const copy = new TextDisk()
    copy.uidValidity = this.uidValidity
    copy.version = this.version
    for (const [uid, m] of this.messages) copy.messages.set(uid, { ...m })
    return copy
  }
  found(key = 'text'): FoundMailbox {
    return { key, empty: false, open: async () => new TextSource(this) }
  }
}

/** The plainest driver with `checkpoint`: whenever the file changed it believes the file, not the table. */
export class TextSource implements MailboxSource {
  readonly traits: SourceTraits = { writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [] }
  readonly disk: TextDisk
  parsed = 0
  constructor(disk: TextDisk) {
    this.disk = disk
  }
  async refresh(edit: TableEdit): Promise<void> {
    const d = this.disk
    const stamp = `${d.uidValidity}.${d.version}`
    if (edit.stamp === stamp) return
    this.parsed++
    if (edit.uidValidity !== d.uidValidity) edit.reset(d.uidValidity)
    edit.keywords(['$known'], true)
    const gone: number[] = []
    for (let row = 0; row < edit.rows.length; row++) {
      const m = d.messages.get(edit.rows.uid[row]!)
      if (m === undefined) gone.push(edit.rows.uid[row]!)
      else edit.setFlags(row as Row, edit.flagSet(m.system, m.keywords))
    }
    const last = edit.rows.length === 0 ? 0 : edit.rows.uid[edit.rows.length - 1]!
    for (const [uid, m] of d.messages) if (uid > last) edit.setSize(edit.add(uid, edit.flagSet(m.system, m.keywords), false), 10)
    edit.remove(uids.from(gone))
    edit.stamp = stamp
  }
  #write(among: UidSet, edit: TableEdit): void {
    const d = this.disk
    if (d.full) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    d.changing()
    for (const [uid, m] of d.messages) {
      const row = edit.rows.find(uid)
      if (row === -1 || !among.has(uid)) continue
      const set = edit.rows.flagSets[edit.rows.flags[row]!]!
      m.system = set.system
      m.keywords = set.keywords
    }
    d.version++
    edit.stamp = `${d.uidValidity}.${d.version}`
  }
  async store(change: FlagChange, edit: TableEdit): Promise<UidSet> {
    await this.refresh(edit)
    const { changed, refused } = edit.apply(change)
    this.#write(changed, edit)
    return refused
  }
  async checkpoint(dirty: UidSet, edit: TableEdit): Promise<void> {
    this.disk.checkpoints++
    this.disk.interfere?.()
    this.disk.interfere = undefined
    await this.refresh(edit)
    this.#write(dirty, edit)
  }
  async expunge(among: UidSet, how: { readonly always: boolean }, edit: TableEdit): Promise<void> {
    await this.refresh(edit)
    const gone = how.always ? among : edit.deleted(among)
    this.disk.changing()
    for (const uid of this.disk.messages.keys()) if (gone.has(uid)) this.disk.messages.delete(uid)
    this.disk.version++
    edit.remove(gone)
    edit.stamp = `${this.disk.uidValidity}.${this.disk.version}`
  }
  async *read(): AsyncGenerator<readonly StoredMessage[]> {}
  async close(): Promise<void> {}
}
