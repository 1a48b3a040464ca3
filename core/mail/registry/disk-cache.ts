import type { AnyFact } from '../../api/index.js'
import { AskedFacts } from '../cache/asked-facts.js'
import { replaceFile } from '../cache/directories.js'
import { FactStore } from '../cache/fact-store.js'
import { decodeRows, encodeRows } from '../cache/rows-codec.js'
import type { MailTable } from '../table/table.js'
import type { DiskParts } from './kept.js'
import type { CacheState, LoadableFacts } from './mailbox-state.js'
import type { SharedMailbox } from './shared-mailbox.js'

/** Rows are kept some time after the last change, so that a crash does not cost a parse. */
const SAVE_DELAY_MS = 10_000

/**
 * What is kept of one mailbox so that it need not be read again: `rows`, `facts-*`, and in `asked` which facts clients ask for. Losing it costs time only.
 *
 * Invariant: rows are kept only while `isTrue` says that they describe what is in the mailbox.
 */
export class DiskCache implements CacheState {
  readonly #parts: DiskParts
  readonly #table: MailTable
  readonly #isTrue: () => boolean
  readonly #facts: FactStore
  readonly #asked: AskedFacts
  /** The state of the table that the kept rows are of; -1: none. */
  #savedAt = -1
  #timer: Disposable | undefined
  constructor(parts: DiskParts, table: MailTable, isTrue: () => boolean) {
    this.#parts = parts
    this.#table = table
    this.#isTrue = isTrue
    this.#facts = new FactStore(parts.files, parts.folder, parts.pool, table)
    this.#asked = new AskedFacts(parts.files, { mailbox: `${parts.folder}/asked`, account: `${parts.root}/asked` }, parts.clock)
  }

  // ---- facts

  facts(fact: AnyFact): Promise<LoadableFacts> {
    return Promise.resolve(this.#facts.of(fact))
  }
  asked(facts: readonly AnyFact[]): void {
    this.#asked.note(facts.map(({ id }) => id)).catch((error: unknown) => this.#parts.logger.debug('mail.asked-not-noted', { key: this.#parts.key, error }))
  }
  lately(): Promise<readonly string[] | undefined> {
    return this.#asked.lately()
  }
  madeTo(): Promise<number | undefined> {
    return this.#asked.madeTo(this.#table.uidValidity)
  }
  made(uid: number): Promise<void> {
    return this.#asked.made(this.#table.uidValidity, uid)
  }
  /** So many messages went. */
  removed(count: number): void {
    this.#facts.removed(count)
  }

  // ---- rows

  /** Fills the table; false, and the table untouched, when these octets are no rows of it. */
  restore(bytes: Uint8Array | undefined): boolean {
    const { key, logger } = this.#parts
    try {
      return bytes !== undefined && decodeRows(bytes, key, this.#table)
    } catch (error) {
      logger.warn('mail.cache-unreadable', { key, error })
      return false
    }
  }
  /** What is in the table is what is kept. */
  isKept(): void {
    this.#savedAt = this.#table.unsaved
  }
  /** Keeps the rows some time from now, where they are not those that are kept. */
  saveLater(mailbox: SharedMailbox): void {
    if (this.#table.unsaved === this.#savedAt) return
    this.#timer ??= this.#parts.clock.after(SAVE_DELAY_MS, () => {
      this.#timer = undefined
      if (mailbox.gone !== undefined) return
      mailbox.inTurn(() => this.#save()).catch((error: unknown) => this.#parts.logger.warn('mail.cache-failed', { key: this.#parts.key, error }))
    })
  }
  async #save(): Promise<void> {
    const t = this.#table
    if (!this.#isTrue() || t.unsaved === this.#savedAt) return
    const bytes = encodeRows(this.#parts.key, t)
    if (bytes === undefined) return
    const at = t.unsaved
    await replaceFile(this.#parts.files, `${this.#parts.folder}/rows`, bytes)
    this.#savedAt = at
  }

  // ---- the end

  /** Nothing is kept later any more. */
  stop(): void {
    this.#timer?.[Symbol.dispose]()
  }
  /** Keeps what is not kept yet. */
  async close(): Promise<void> {
    this.stop()
    await this.#save()
    await this.#facts.close()
    await this.#asked.settled()
  }
  /** Instead of `close`: the files are about to go. */
  async discard(): Promise<void> {
    await this.#facts.discard()
    await this.#asked.settled()
  }
}
