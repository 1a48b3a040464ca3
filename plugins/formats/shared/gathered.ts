import { MailError, type AppendItem, type Spool, type Spooled } from 'mailwright/api'

/** A message of a delivery, and its octets. */
export interface Waiting {
  readonly item: AppendItem
  readonly spooled: Spooled
}
/** What becomes of the octets in the mailbox: they are given out as they came, or in another form. */
export type Keeps = 'as-is' | 'converted'
/** Messages of a delivery until they are put into the mailbox: their octets are taken without any lock. */
export class Gathered {
  readonly list: readonly Waiting[]
  readonly #waiting: Waiting[] = []
  readonly #spool: Spool
  readonly #keeps: Keeps
  constructor(spool: Spool, keeps: Keeps) {
    this.#spool = spool
    this.#keeps = keeps
    this.list = this.#waiting
  }
  /** @throws MailError `unsupported` for a message without an octet, which no mailbox can have */
  async add(item: AppendItem, signal: AbortSignal): Promise<void> {
    const spooled = await this.#spool.take(item, signal)
    this.#waiting.push({ item, spooled })
    if (spooled.size === 0) throw new MailError('unsupported', 'Append of zero-length message')
    if (this.#keeps === 'as-is' && spooled.whole !== undefined) item.bytes.willBe?.(spooled.whole)
  }
  /** Gives the octets back, of messages that were put into the mailbox too. */
  async drop(): Promise<void> {
    for (const { spooled } of this.#waiting.splice(0)) await spooled[Symbol.asyncDispose]()
  }
}
