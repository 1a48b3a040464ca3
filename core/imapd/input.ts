import { ConnectionLost, ProtocolAbort } from '../api/index.js'
import type { Clock, Link } from '../api/index.js'
import { Deadline } from '../session/deadline.js'
import type { ImapFramer } from '../wire/imap/framer.js'
import type { Frame } from '../wire/imap/frames.js'
import type { UnfinishedShare } from './unfinished.js'

/** How long the client may take, from now; and what it is told when it took longer. */
export interface Patience {
  waitMs(partial: boolean): number
  readonly bye: string
}

/** The client ended the connection; said in the log with what the server was doing. */
export class EndOfInput extends ConnectionLost {
  readonly doing: string
  constructor(doing: string) {
    super(`end of input while ${doing}`)
    this.doing = doing
  }
}

/** Frames from a link. Reads when the framer has nothing left, and only then: a session that is busy is not fed. */
export class ImapInput implements Disposable {
  readonly framer: ImapFramer
  patience: Patience
  readonly #link: Link
  readonly #clock: Clock
  readonly #deadline: Deadline
  readonly #send: () => void
  readonly #unfinished: UnfinishedShare | undefined
  #withinMs: number | undefined
  /** Ends the wait that is going on. */
  #giveUp: ((reason: Error) => void) | undefined
  readonly #stop = (): void => this.#giveUp?.(stopped())

  /**
   * @param send hands over what was written, before every wait for the client.
   * @param unfinished before the login: bounds what all such clients may hold.
   */
  constructor(link: Link, framer: ImapFramer, clock: Clock, patience: Patience, send: () => void, unfinished?: UnfinishedShare) {
    this.#link = link
    this.framer = framer
    this.#clock = clock
    this.#deadline = new Deadline(clock)
    this.patience = patience
    this.#send = send
    this.#unfinished = unfinished
    link.stopping?.addEventListener('abort', this.#stop, { once: true })
  }

  /** The next frame; throws EndOfInput at the end. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.framer.next()
      if (frame !== undefined) return frame
      this.#unfinished?.hold(this.framer.kept)
      this.#send()
      const chunk = await this.#read()
      if (chunk === undefined) throw new EndOfInput(this.framer.reading)
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
    this.#deadline[Symbol.dispose]()
    this.#unfinished?.[Symbol.dispose]()
    this.#link.stopping?.removeEventListener('abort', this.#stop)
  }

  #read(): Promise<Uint8Array | undefined> {
    if (this.#link.stopping?.aborted === true) return Promise.reject(stopped())
    return new Promise((resolve, reject) => {
      this.#giveUp = reject
      const wait = this.#withinMs ?? this.patience.waitMs(this.framer.partial)
      this.#deadline.set(this.#clock.now() + wait, () => reject(new ProtocolAbort(this.patience.bye, 'Autologout')))
      this.#link.read().then(
        (chunk) => {
          this.#rest()
          resolve(chunk)
        },
        (lost: unknown) => {
          this.#rest()
          reject(lost as Error)
        },
      )
    })
  }
  #rest(): void {
    this.#giveUp = undefined
    this.#deadline.clear()
  }
}

/** The server stops: the command in hand is done, and no other is begun. */
function stopped(): ProtocolAbort {
  return new ProtocolAbort('Server shutting down', 'Killed (terminated)')
}
