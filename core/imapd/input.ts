import { ProtocolAbort } from '../api/index.js'
import type { Clock, Link } from '../api/index.js'
import { LinkReader } from '../session/link-reader.js'
import type { Patience } from '../session/link-reader.js'
import type { ImapFramer } from '../wire/imap/framer.js'
import type { Frame } from '../wire/imap/frames.js'
import type { UnfinishedShare } from './unfinished.js'

/** Frames from a link. Reads when the framer has nothing left, and only then: a session that is busy is not fed. */
export class ImapInput implements Disposable {
  readonly framer: ImapFramer
  patience: Patience
  readonly #link: Link
  readonly #reader: LinkReader
  readonly #send: () => void
  readonly #unfinished: UnfinishedShare | undefined
  #withinMs: number | undefined

  /**
   * @param send hands over what was written, before every wait for the client.
   * @param unfinished before the login: bounds what all such clients may hold.
   */
  constructor(link: Link, framer: ImapFramer, clock: Clock, patience: Patience, send: () => void, unfinished?: UnfinishedShare) {
    this.framer = framer
    this.patience = patience
    this.#link = link
    this.#reader = new LinkReader(link, clock, () => this.framer.reading)
    this.#send = send
    this.#unfinished = unfinished
  }

  /** The next frame; throws EndOfInput at the end, LostWaiting. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.framer.next()
      if (frame !== undefined) return frame
      this.#unfinished?.hold(this.framer.kept)
      this.#send()
      // Octets of a literal come as fast as they can; the line behind it may be held back.
      if (this.framer.partial && this.framer.reading === 'reading line') this.#link.acknowledge?.()
      const chunk = await this.#reader.read(this.#withinMs ?? this.patience.waitMs(this.framer.partial), this.patience.bye)
      if (this.#unfinished !== undefined) this.framer.mostWaiting = this.#unfinished.most()
      this.framer.push(chunk)
    }
  }
  /** One line that is no command; undefined: too long. `withinMs` stands in for the patience. */
  async line(limit: number, withinMs?: number): Promise<Uint8Array | undefined> {
    this.framer.line(limit)
    this.#withinMs = withinMs
    const frame = await this.next().finally(() => {
      this.#withinMs = undefined
    })
    if (frame.kind === 'abort') throw new ProtocolAbort(frame.text, frame.text)
    return frame.kind === 'line' ? frame.bytes : undefined
  }
  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]()
    this.#unfinished?.[Symbol.dispose]()
  }
}
