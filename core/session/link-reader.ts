import { ConnectionLost, ProtocolAbort } from '../api/index.js'
import type { Clock, Link } from '../api/index.js'
import { Deadline } from './deadline.js'

/** How long the client may take, from now; and what it is told when it took longer. */
export interface Patience {
  /** @param partial something was begun and not brought to its end. */
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

/** The link was lost while the client was waited for; said in the log with what was waited for. */
export class LostWaiting extends ConnectionLost {
  readonly doing: string
  constructor({ message, cause, how }: ConnectionLost, doing: string) {
    super(message, { cause, how })
    this.doing = doing
  }
}

/** The next octets of a client, who may take as long as the patience lasts; the server's stop ends the wait. */
export class LinkReader implements Disposable {
  readonly #link: Link
  readonly #clock: Clock
  readonly #deadline: Deadline
  readonly #doing: () => string
  /** Ends the wait that is going on. */
  #giveUp: ((reason: Error) => void) | undefined
  readonly #stop = (): void => this.#giveUp?.(stopped())

  /** @param doing what the octets to come belong to, in the words of the log. */
  constructor(link: Link, clock: Clock, doing: () => string) {
    this.#link = link
    this.#clock = clock
    this.#doing = doing
    this.#deadline = new Deadline(clock)
    link.stopping?.addEventListener('abort', this.#stop, { once: true })
  }

  /**
   * @param bye what the client is told after `waitMs` without an octet.
   * @throws ProtocolAbort when time is up or the server stops, EndOfInput, LostWaiting.
   */
  read(waitMs: number, bye: string): Promise<Uint8Array> {
    if (this.#link.stopping?.aborted === true) return Promise.reject(stopped())
    return new Promise((resolve, reject) => {
      this.#giveUp = reject
      this.#deadline.set(this.#clock.steady() + waitMs, () => reject(new ProtocolAbort(bye, 'Autologout')))
      this.#link.read().then(
        (chunk) => {
          this.#rest()
          if (chunk === undefined) reject(new EndOfInput(this.#doing()))
          else resolve(chunk)
        },
        (lost: unknown) => {
          this.#rest()
          reject(lost instanceof ConnectionLost ? new LostWaiting(lost, this.#doing()) : (lost as Error))
        },
      )
    })
  }
  /** Ends the wait that is going on, if there is one, with this reason. */
  interrupt(reason: Error): void {
    this.#giveUp?.(reason)
  }
  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]()
    this.#link.stopping?.removeEventListener('abort', this.#stop)
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
