/** Small messages share memory: setting some aside for each costs more than to copy their octets. */
const SLAB = 64 * 1024
const SMALL = SLAB / 4

/** Memory for one message, its holder's alone until it is released. */
export interface SpoolRoom {
  /** As many octets as were asked for; what is in them is anything. */
  readonly bytes: Uint8Array
  /** Once. Nothing is written there afterwards; who reads still may. */
  release(): void
}
/** Memory that messages share. It counts as held while one of them does; nothing in it is used twice. */
interface Slab {
  readonly bytes: Uint8Array
  used: number
  messages: number
}

/** Memory of the messages of a spool, of which there is so much for all of them. */
export class SpoolMemory {
  readonly #most: number
  #held = 0
  #slab: Slab | undefined
  /** @param most octets that are held at the same time */
  constructor(most: number) {
    this.#most = most
  }
  /** Octets that count as held. */
  get held(): number {
    return this.#held
  }
  /** Whether so many octets can be had now. */
  has(octets: number): boolean {
    return this.#held + octets <= this.#most
  }
  /** Room in place of another, which is released in any case. Undefined: there is not so much left. */
  instead(before: SpoolRoom | undefined, octets: number): SpoolRoom | undefined {
    before?.release()
    return this.#take(octets)
  }
  #take(octets: number): SpoolRoom | undefined {
    return (octets <= SMALL ? this.#shared(octets) : undefined) ?? this.#alone(octets)
  }
  #alone(octets: number): SpoolRoom | undefined {
    if (!this.has(octets)) return undefined
    this.#held += octets
    return { bytes: Buffer.allocUnsafeSlow(octets), release: () => void (this.#held -= octets) }
  }
  #shared(octets: number): SpoolRoom | undefined {
    let slab = this.#slab
    const isNew = slab === undefined || slab.used + octets > SLAB
    if (slab === undefined || isNew) {
      if (!this.has(SLAB)) return undefined
      slab = this.#slab = { bytes: Buffer.allocUnsafeSlow(SLAB), used: 0, messages: 0 }
    } else if (slab.messages === 0 && !this.has(SLAB)) return undefined
    const { bytes, used } = slab
    const mine = slab
    slab.used += octets
    if (slab.messages++ === 0) this.#held += SLAB
    return {
      bytes: bytes.subarray(used, used + octets),
      release: () => {
        if (--mine.messages === 0) this.#held -= SLAB
      },
    }
  }
}
