import type { SpoolMemory, SpoolRoom } from './spool-memory.js'

const NOTHING = new Uint8Array(0)
/** Who says much and sends little holds no more than this beyond what came. */
const AHEAD = 64 * 1024

/** One message while it comes, in memory in one piece, so that it is written in one go and can be looked into. Each octet is copied once where its size was said. */
export class ArrivingMessage {
  readonly #memory: SpoolMemory
  readonly #most: number
  readonly #size: number
  #room: SpoolRoom | undefined
  #octets: Uint8Array = NOTHING

  /**
   * @param most octets of a message in memory
   * @param size as the sender said, which is taken for a hint
   */
  constructor(memory: SpoolMemory, most: number, size = 0) {
    this.#memory = memory
    this.#most = most
    this.#size = size
  }
  /** What has come; nothing when it was released. */
  get octets(): Uint8Array {
    return this.#octets
  }
  /** Copies it behind the rest: the giver may use its buffer again. False: it is too much for memory, and nothing is taken. */
  add(chunk: Uint8Array): boolean {
    const before = this.#octets
    const octets = before.length + chunk.length
    if (Math.max(octets, this.#size) > this.#most) return false
    const room = this.#room !== undefined && octets <= this.#room.bytes.length ? this.#room : this.#wider(octets)
    if (room === undefined) return false
    room.bytes.set(chunk, before.length)
    this.#octets = room.bytes.subarray(0, octets)
    return true
  }
  /** Room for what was said, as far as that is believed, and then for twice as much as there is, so that little is copied again. */
  #wider(octets: number): SpoolRoom | undefined {
    const before = this.#room
    const end = octets <= this.#size ? this.#size : this.#most
    const room = this.#memory.instead(before, Math.max(octets, before === undefined ? Math.min(this.#size, octets + AHEAD) : Math.min(end, 2 * before.bytes.length)))
    this.#room = room
    // What has come stays readable where there is no room.
    room?.bytes.set(this.#octets)
    return room
  }
  /** Gives the memory back; more than once is as once. */
  release(): void {
    this.#room?.release()
    this.#room = undefined
    this.#octets = NOTHING
  }
}
