import {
  MailError, SYSTEM, UNKNOWN, uids, type Files, type FlagChange, type MailboxSource, type Row, type Rows, type StoredMessage, type TableEdit, type UidSet, type Wants,
} from 'mailwright/api'
import { fillSizes, listNumbers, readNumbered, statNumbers } from '../shared/numbered-files.js'
import { includes, rangesOf, readOf, withRead, type Ranges } from './newsrc.js'
import type { NewsState } from './state.js'

/** Numbers of articles are the server's for ever. */
const VALIDITY = 0xbeefface

/** A newsgroup of the spool: articles nobody can change, and what one user has read, as \Deleted. */
export class NewsSource implements MailboxSource {
  readonly traits = { writable: true, uidsPersist: true, modseqs: 'numbered-by-core', facts: [], columns: [] } as const
  readonly #files: Files
  readonly #path: string
  readonly #group: string
  readonly #state: NewsState | undefined
  #told = false
  constructor(files: Files, path: string, group: string, state: NewsState | undefined) {
    this.#files = files
    this.#path = path
    this.#group = group
    this.#state = state
  }
  async #stamp(): Promise<string> {
    const stat = await this.#files.stat(this.#path)
    if (stat?.kind !== 'directory') throw new MailError('not-found', `${this.#group} is gone`)
    return `news/1 ${stat.inode} ${stat.mtimeMs} ${stat.ctimeMs} ${(await this.#state?.stat()) ?? ''}`
  }

  async refresh(edit: TableEdit): Promise<void> {
    const stamp = await this.#stamp()
    if (edit.stamp === stamp) return
    if (edit.uidValidity !== VALIDITY) {
      if (edit.uidValidity !== 0 || edit.rows.length > 0) edit.reset(VALIDITY)
      edit.uidValidity = VALIDITY
    }
    const { numbers } = await listNumbers(this.#files, this.#path)
    const { rows } = edit
    const last = rows.length === 0 ? 0 : (rows.uid[rows.length - 1] ?? 0)
    if (numbers.some((n) => n <= last && rows.find(n) === -1)) edit.reset(VALIDITY)
    const there = new Set(numbers)
    const gone = [...edit.rows.uid.subarray(0, edit.rows.length)].filter((uid) => !there.has(uid))
    if (gone.length > 0) edit.remove(uids.from(gone))
    const read = await this.#read(edit)
    const seen = read.at(-1)?.[1] ?? 0
    const known = edit.rows.length
    const plain = edit.flagSet(0, [])
    const deleted = edit.flagSet(SYSTEM.deleted, [])
    for (const [uid, stat] of await statNumbers(this.#files, this.#path, numbers.filter((n) => edit.rows.find(n) === -1))) {
      const row = edit.add(uid, plain, uid > seen)
      edit.setSize(row, UNKNOWN)
      edit.setDate(row, Math.floor(stat.mtimeMs / 1000) * 1000, 0)
    }
    for (let row = 0; row < edit.rows.length; row++) {
      const uid = edit.rows.uid[row] ?? 0
      const id = includes(read, uid) ? deleted : plain
      // A row number is an index of the table.
      if (edit.rows.flags[row] !== id) edit.setFlags(row as Row, id)
      if (row < known && uid <= seen) edit.setRecent(row as Row, false)
    }
    edit.keywords([], false)
    edit.stamp = stamp
  }
  async #read(edit: TableEdit): Promise<Ranges> {
    const text = await this.#state?.text()
    const read = text === undefined ? undefined : readOf(text, this.#group, this.#state?.path ?? '')
    if (read === undefined && text !== undefined && !this.#told) edit.notice('information', `No state for newsgroup ${this.#group} found, reading as new`)
    this.#told = true
    return read ?? []
  }

  /** Only \Deleted is kept. */
  async store(change: FlagChange, edit: TableEdit): Promise<UidSet> {
    await this.refresh(edit)
    const { changed, refused } = edit.apply({ ...change, system: change.system & SYSTEM.deleted, keywords: [] })
    if (changed.count === 0) return refused
    if (this.#state === undefined) throw new MailError('read-only', 'this user keeps no news state')
    const { rows } = edit
    const articles = [...rows.uid.subarray(0, rows.length)]
    const isRead = (article: number): boolean => {
      const row = rows.find(article)
      return row !== -1 && ((rows.flagSets[rows.flags[row] ?? 0]?.system ?? 0) & SYSTEM.deleted) !== 0
    }
    const { path } = this.#state
    if ((await this.#state.text()) === undefined) edit.notice('information', `Creating news state ${path}`)
    let now: Ranges = []
    await this.#state.change((text) => {
      now = readOf(text, this.#group, path) ?? []
      return withRead(text, this.#group, rangesOf(articles, (article) => (changed.has(article) ? isRead(article) : includes(now, article))), path)
    })
    // What others marked since it was looked at.
    const [plain, deleted] = [edit.flagSet(0, []), edit.flagSet(SYSTEM.deleted, [])]
    for (const [row, article] of articles.entries()) {
      if (!changed.has(article) && isRead(article) !== includes(now, article)) edit.setFlags(row as Row, includes(now, article) ? deleted : plain)
    }
    edit.stamp = await this.#stamp()
    return refused
  }
  /** Articles expire by themselves: what is \Deleted stays. */
  async expunge(_among: UidSet, how: { readonly always: boolean }): Promise<void> {
    if (how.always) throw new MailError('read-only', 'articles cannot be removed')
  }
  read(set: UidSet, wants: Wants, rows: Rows, signal: AbortSignal): AsyncIterable<readonly StoredMessage[]> {
    return readNumbered({ files: this.#files, path: this.#path, kept: 'text' }, set, wants, rows, signal)
  }
  fill(set: UidSet, edit: TableEdit, signal: AbortSignal): Promise<void> {
    return fillSizes({ files: this.#files, path: this.#path, kept: 'text' }, set, edit, signal)
  }
  watch(changed: () => void): Disposable {
    try {
      return this.#files.watch(this.#path, changed)
    } catch {
      // No more notices to be had on this machine: core looks now and then.
      return { [Symbol.dispose]: () => undefined }
    }
  }
  async close(): Promise<void> {
    // Nothing is open between two operations.
  }
}
