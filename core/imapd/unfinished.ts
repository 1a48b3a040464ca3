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
    const hold = (octets: number): void => {
      this.#octets += octets - mine
      mine = octets
    }
    return {
      most: () => (this.#octets - mine < LIMITS.unfinishedPrelogin ? Infinity : LIMITS.unfinishedShare),
      hold,
      [Symbol.dispose]: () => hold(0),
    }
  }
}
/** Held by one client. */
export interface UnfinishedShare extends Disposable {
  /** Octets that it may hold, as things are. */
  most(): number
  /** It holds this many now. */
  hold(octets: number): void
}
