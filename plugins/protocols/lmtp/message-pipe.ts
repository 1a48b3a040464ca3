/** A message was begun and will not be finished. */
export class Abandoned extends Error {}

/**
 * Octets of a message on their way from one BDAT command after the other to whoever takes it. One piece at a time: what is not taken yet is left with the
 * other side.
 */
export class MessagePipe {
  #piece: Uint8Array | undefined
  #end: 'said' | Error | undefined
  #left = false
  #wakeReader = (): void => undefined
  #wakeWriter = (): void => undefined

  /** Whether the reader wants no more. */
  get isLeft(): boolean {
    return this.#left
  }
  /** Resolves when the piece was used and its memory is the writer's again, or nobody wants it. */
  async write(piece: Uint8Array): Promise<void> {
    if (this.#left) return
    const used = new Promise<void>((wake) => (this.#wakeWriter = wake))
    this.#piece = piece
    this.#wakeReader()
    await used
  }
  /** There is no more; with an error there never will be. */
  end(how: 'said' | Error): void {
    this.#end ??= how
    this.#wakeReader()
  }
  /** The reader wants no more. */
  leave(): void {
    this.#left = true
    this.#wakeWriter()
  }
  /** For one reader. @throws what `end` was given */
  async *bytes(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.#end instanceof Error) throw this.#end
        if (this.#piece !== undefined) {
          yield this.#piece
          this.#piece = undefined
          this.#wakeWriter()
        } else if (this.#end === 'said') return
        else await new Promise<void>((wake) => (this.#wakeReader = wake))
      }
    } finally {
      this.leave()
    }
  }
}
