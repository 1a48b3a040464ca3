import type { MessageBytes } from 'mailwright/api'

/** A message in memory. */
export class WholeBytes implements MessageBytes {
  readonly inline: Uint8Array
  constructor(inline: Uint8Array) {
    this.inline = inline
  }
  get size(): number {
    return this.inline.length
  }
  read(at: number, into: Uint8Array): Promise<number> {
    const part = this.inline.subarray(at, at + into.length)
    into.set(part)
    return Promise.resolve(part.length)
  }
}
