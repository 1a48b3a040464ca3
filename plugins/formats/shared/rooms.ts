/** Memory that one batch of messages is read into, as often as it is tried. */
export class Room {
  #octets = Buffer.alloc(0)
  /** What was read into it before is gone. */
  take(octets: number): Buffer {
    if (this.#octets.length < octets) this.#octets = Buffer.allocUnsafe(octets)
    return this.#octets.subarray(0, octets)
  }
}

/** Memory for batches, used again: a caller has one until it asks for the next, which is read meanwhile. */
export class Rooms {
  #next = new Room()
  #other = new Room()
  /** For another batch. */
  next(): Room {
    const room = this.#next
    this.#next = this.#other
    this.#other = room
    return room
  }
}
