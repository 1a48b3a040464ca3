/** Octets of the mailbox from one place to another, in pieces that are valid until the next is asked for. */
export type Pieces = (from: number, to: number) => AsyncIterable<Uint8Array>

/** Takes the new content of a mailbox file front to back. What is copied is never asked for behind what was copied before. */
export interface ContentWriter {
  /** Where the next octet goes in the mailbox. */
  readonly at: number
  /** Room is short: what stands in the mailbox is copied as it is, also where it could be written better. */
  readonly sparing: boolean
  /** The octets up to here stay as they are. */
  stay(to: number): void
  /** `old`: what stands there now, where that is known. */
  bytes(part: Uint8Array, old?: Uint8Array): Promise<void>
  /** Octets that stand in the mailbox from `from` to `to`. */
  copy(from: number, to: number, pieces: Pieces): Promise<void>
  /** Octets that are mostly those which stand at `from` in the mailbox. */
  edited(part: Uint8Array, old: Uint8Array, from: number): Promise<void>
}
