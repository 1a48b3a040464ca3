import { MailError, POP3_MARK, SYSTEM, uids } from '../api/index.js'
import type { Logger, MailboxView, MaildropSource, StoredMessage, UidSet, Wants } from '../api/index.js'

const WHOLE: Wants = { bytes: 'whole', sections: [], facts: [] }
/** So many messages one after the other make it likely that all of them are wanted. */
const IN_A_ROW = 3

/** What a maildrop over a view is made with. */
export interface ViewSourceParts {
  readonly view: MailboxView
  readonly logger: Logger
  /** With a deletion, QUIT also removes what others flagged. */
  readonly expungeFlagged: boolean
}

/** The messages of a mailbox that is open as a view. What bears \Deleted at the opening is not among them. */
export class ViewSource implements MaildropSource {
  readonly total: number
  readonly uids: Uint32Array
  readonly sizes: Uint32Array
  readonly marks: Uint8Array
  readonly uidValidity: number
  readonly #parts: ViewSourceParts
  #run: Run | undefined
  #next = 0
  #inARow = 0

  private constructor(parts: ViewSourceParts, rows: { readonly uids: Uint32Array; readonly sizes: Uint32Array; readonly marks: Uint8Array }) {
    this.#parts = parts
    this.total = parts.view.announced
    this.uidValidity = parts.view.uidValidity
    this.uids = rows.uids
    this.sizes = rows.sizes
    this.marks = rows.marks
  }

  static async of(parts: ViewSourceParts, signal: AbortSignal): Promise<ViewSource> {
    const { view } = parts
    const count = view.announced
    if (count > 0 && view.rows.gaps > 0) await view.fill(view.resolve({ pairs: Uint32Array.of(1, count) }, 'seq'), signal)
    const { rows } = view
    const kinds = rows.flagSets.map(({ system }) => system)
    const own = { uids: new Uint32Array(count), sizes: new Uint32Array(count), marks: new Uint8Array(count) }
    let n = 0
    for (let row = 0; row < count; row++) {
      const system = kinds[rows.flags[row]!]!
      if ((system & SYSTEM.deleted) !== 0) continue
      own.uids[n] = rows.uid[row]!
      own.sizes[n] = rows.size[row]!
      own.marks[n] = ((system & SYSTEM.seen) === 0 ? 0 : POP3_MARK.seen) | (view.isRecent(row) ? POP3_MARK.recent : 0)
      n++
    }
    return new ViewSource(parts, n === count ? own : { uids: own.uids.slice(0, n), sizes: own.sizes.slice(0, n), marks: own.marks.slice(0, n) })
  }

  gone(): readonly number[] {
    const changes = this.#parts.view.take({ expunge: true })
    if (changes === undefined) return NONE
    if (changes.reset) throw new MailError('vanished', 'the mailbox is gone or began anew')
    const { ranges } = changes.removed
    const found: number[] = []
    for (let i = 0; i < ranges.length; i += 2) {
      for (let at = this.#from(ranges[i]!); at < this.uids.length && this.uids[at]! <= ranges[i + 1]!; at++) found.push(at)
    }
    return found
  }
  async read(index: number, signal: AbortSignal): Promise<StoredMessage | undefined> {
    this.#inARow = index === this.#next ? this.#inARow + 1 : 0
    this.#next = index + 1
    const uid = this.uids[index]!
    const ahead = this.#inARow >= IN_A_ROW
    if (!ahead || this.#run?.ahead !== true) {
      this.idle()
      this.#run = new Run(this.#parts.view, uid, ahead ? (this.uids.at(-1) ?? uid) : uid, signal)
    }
    try {
      return await this.#run.to(uid)
    } catch (error) {
      this.idle()
      throw error
    }
  }
  idle(): void {
    this.#run?.close()
    this.#run = undefined
  }
  async update(seen: readonly number[], deleted: readonly number[], signal: AbortSignal): Promise<void> {
    const { view, expungeFlagged, logger } = this.#parts
    this.idle()
    if (seen.length > 0) {
      try {
        await view.store({ uids: this.#set(seen), how: 'add', system: SYSTEM.seen, keywords: [] }, true, signal)
      } catch (error) {
        // The client asked for deletions; the marks are this server's own addition.
        logger.warn('messages could not be marked as read', { error })
      }
    }
    if (deleted.length === 0) return
    await view.remove(this.#set(deleted), signal)
    if (expungeFlagged) await view.expunge(uids.all, signal)
  }
  async close(signal: AbortSignal): Promise<void> {
    this.idle()
    await this.#parts.view.close(signal)
  }

  #set(indices: readonly number[]): UidSet {
    return uids.from(indices.map((index) => this.uids[index]!))
  }
  /** First index whose uid is at least this. */
  #from(uid: number): number {
    let low = 0
    let high = this.uids.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.uids[middle]! < uid) low = middle + 1
      else high = middle
    }
    return low
  }
}

const NONE: readonly number[] = []

/** Messages that are read one after the other, in batches as large as the store makes them. What is in hand is valid until the next `to`. */
class Run {
  /** Whether it goes on behind the first message. */
  readonly ahead: boolean
  readonly #batches: AsyncIterator<readonly StoredMessage[]>
  #batch: readonly StoredMessage[] = []
  #at = 0

  constructor(view: MailboxView, from: number, to: number, signal: AbortSignal) {
    this.ahead = to > from
    const rows = view.resolve({ pairs: Uint32Array.of(from, to) }, 'uid')
    this.#batches = view.read(rows, WHOLE, signal)[Symbol.asyncIterator]()
  }
  /** The message of this uid, which is beyond the one asked for before; undefined: it is gone. */
  async to(uid: number): Promise<StoredMessage | undefined> {
    for (;;) {
      for (; this.#at < this.#batch.length; this.#at++) {
        const message = this.#batch[this.#at]!
        if (message.uid === uid) return message
        if (message.uid > uid) return undefined
      }
      const next = await this.#batches.next()
      if (next.done === true) return undefined
      this.#batch = next.value
      this.#at = 0
    }
  }
  close(): void {
    // Reading ends with its clean-up; what fails there concerns nobody.
    void this.#batches.return?.().catch(() => undefined)
  }
}
