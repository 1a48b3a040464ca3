import { POP3_MARK } from '../api/index.js'
import type { Maildrop, MaildropSource } from '../api/index.js'
import { MessageText, STATUS_OCTETS } from './message-text.js'
import type { TextTreatment } from './message-text.js'

const DELETED = 1
const SEEN = 2
const GONE = 4

/**
 * The messages of a session with what the client said of them. Nothing of it reaches the mailbox before `update`: RFC 1939 §6 lets a session
 * that ends in any other way change nothing.
 */
export class MarkedMaildrop implements Maildrop {
  readonly source: MaildropSource
  readonly #status: boolean
  readonly #treat: TextTreatment | undefined
  readonly #said: Uint8Array
  readonly #firstLast: number
  #messages = 0
  #octets = 0
  /** Highest number that was accessed. */
  last: number

  /**
   * @param statusHeader messages are sent with a status line.
   * @param treat what workarounds do to text; undefined: nothing.
   */
  constructor(source: MaildropSource, statusHeader: boolean, treat?: TextTreatment) {
    this.#treat = treat
    this.source = source
    this.#status = statusHeader
    this.#said = new Uint8Array(source.uids.length)
    this.#messages = source.uids.length
    for (const octets of source.sizes) this.#octets += octets
    if (statusHeader) this.#octets += STATUS_OCTETS * this.#messages
    this.last = this.#firstLast = source.marks.findLastIndex((marks) => (marks & POP3_MARK.seen) !== 0) + 1
  }

  get count(): number {
    return this.#said.length
  }
  get uidValidity(): number {
    return this.source.uidValidity
  }
  get figures(): { readonly messages: number; readonly octets: number } {
    return { messages: this.#messages, octets: this.#octets }
  }
  has(n: number): boolean {
    const said = this.#said[n - 1]
    return said !== undefined && (said & (DELETED | GONE)) === 0
  }
  size(n: number): number {
    return (this.source.sizes[n - 1] ?? 0) + (this.#status ? STATUS_OCTETS : 0)
  }
  uid(n: number): number {
    return this.source.uids[n - 1] ?? 0
  }
  /** Takes note of what others removed. */
  refresh(): void {
    for (const index of this.source.gone()) this.#lose(index)
  }
  /** Undefined: there is no such message. */
  async text(n: number, whole: boolean, signal: AbortSignal): Promise<MessageText | undefined> {
    const stored = await this.source.read(n - 1, signal)
    if (stored === undefined) {
      // Others removed it since the last look: what is listed from now on is what can be had.
      this.#lose(n - 1)
      return undefined
    }
    return MessageText.open({ ...stored, marks: this.#status ? this.source.marks[n - 1] : undefined, treat: this.#treat }, whole, signal)
  }
  accessed(n: number): void {
    if (n > this.last) this.last = n
  }
  markSeen(n: number): void {
    this.#said[n - 1]! |= SEEN
  }
  markDeleted(n: number): void {
    this.#said[n - 1]! |= DELETED
    this.#leave(n - 1)
  }
  /** RSET. */
  reset(): void {
    for (let i = 0; i < this.#said.length; i++) {
      const said = this.#said[i]!
      if ((said & DELETED) !== 0 && (said & GONE) === 0) {
        this.#messages++
        this.#octets += this.size(i + 1)
      }
      this.#said[i] = said & GONE
    }
    this.last = this.#firstLast
  }
  /** QUIT: what was said becomes true. Tells what it was. */
  async update(signal: AbortSignal): Promise<{ readonly deleted: number; readonly seen: number }> {
    const deleted = this.#indices((said) => (said & DELETED) !== 0)
    const seen = this.#indices((said, marks) => (said & (SEEN | DELETED)) === SEEN && (marks & POP3_MARK.seen) === 0)
    if (deleted.length + seen.length > 0) await this.source.update(seen, deleted, signal)
    return { deleted: deleted.length, seen: seen.length }
  }

  #lose(index: number): void {
    const said = this.#said[index]
    if (said === undefined || (said & GONE) !== 0) return
    if ((said & DELETED) === 0) this.#leave(index)
    this.#said[index] = said | GONE
  }
  #leave(index: number): void {
    this.#messages--
    this.#octets -= this.size(index + 1)
  }
  /** Of messages that nobody else removed. */
  #indices(is: (said: number, marks: number) => boolean): readonly number[] {
    const found: number[] = []
    this.#said.forEach((said, i) => {
      if ((said & GONE) === 0 && is(said, this.source.marks[i]!)) found.push(i)
    })
    return found
  }
}
