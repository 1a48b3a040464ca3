import { ProtocolAbort } from '../api/index.js'
import { LIMITS } from '../wire/limits.js'

/**
 * Input that clients of a host have sent before their login and not brought to an end. Each may send a long command; thousands
 * that do at the same time, and never end it, would fill the memory for nothing.
 */
export class Unfinished {
  #octets = 0

  /** A client's part of it, for as long as its half of the session lasts. */
  share(): UnfinishedShare {
    let mine = 0
    return {
      hold: (octets) => {
        this.#octets += octets - mine
        mine = octets
        if (octets > LIMITS.unfinishedShare && this.#octets > LIMITS.unfinishedPrelogin) {
          throw new ProtocolAbort('[UNAVAILABLE] Too many unfinished commands, try again later', 'Too many unfinished commands')
        }
      },
      [Symbol.dispose]: () => {
        this.#octets -= mine
        mine = 0
      },
    }
  }
}
/** Held by one client. */
export interface UnfinishedShare extends Disposable {
  /** It holds this many octets now. @throws ProtocolAbort when that is too much beside what others hold. */
  hold(octets: number): void
}
