import { ProtocolAbort, SyntaxFailure } from '../api/index.js'
import type { ArrivingOctets, CodecMode, ImapCursor, StreamCursor } from '../api/index.js'
import { OctetCursor } from '../wire/imap/cursor.js'
import type { CommandFrame, LiteralFrame } from '../wire/imap/frames.js'
import { BadArgument } from './failure.js'
import type { ImapInput } from './input.js'

/**
 * The arguments of a command whose literals are taken as they come. A literal that the command never pulls is never asked for: a client that
 * waits for the continuation reads the refusal instead.
 */
export class CommandStream implements StreamCursor {
  readonly #input: ImapInput
  readonly #mode: CodecMode
  readonly #invite: () => void
  #piece: CommandFrame | LiteralFrame | undefined
  #fresh = true
  #pulled = false

  /** @param invite writes the continuation. */
  constructor(input: ImapInput, first: CommandFrame | LiteralFrame, mode: CodecMode, invite: () => void) {
    this.#input = input
    this.#piece = first
    this.#mode = mode
    this.#invite = invite
  }

  /** Text up to the next literal or the end. After a literal: once its octets were taken. */
  async next(): Promise<ImapCursor> {
    if (this.#fresh) this.#fresh = false
    else await this.#advance()
    if (this.#piece === undefined) throw new SyntaxFailure(0, 'more of the command')
    return new OctetCursor(this.#piece.args, this.#mode)
  }
  literal(): { readonly size: number; readonly binary: boolean; readonly bytes: ArrivingOctets } | undefined {
    const piece = this.#piece
    if (piece?.kind !== 'literal' || piece.unasked) return undefined
    return { size: piece.size, binary: piece.binary, bytes: { [Symbol.asyncIterator]: () => this.#octets(piece), atOnce: () => this.#atOnce(piece) } }
  }

  /** Mostly a client sends a small message with its command, and one read has brought all of it. */
  #atOnce(piece: LiteralFrame): Uint8Array | undefined {
    // Who waits for the invitation has sent nothing yet; what came all the same is taken after it.
    if (piece.sync || this.#pulled || this.#piece !== piece) return undefined
    const octets = this.#input.framer.streamWhole()
    if (octets !== undefined) this.#piece = undefined
    return octets
  }

  async *#octets(piece: LiteralFrame): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#pulled || this.#piece !== piece) throw new Error('the octets of a literal can be taken once')
    this.#pulled = true
    if (piece.sync) this.#invite()
    this.#input.framer.stream()
    for (;;) {
      const frame = await this.#input.next()
      if (frame.kind === 'abort') throw new ProtocolAbort(frame.text, frame.text)
      if (frame.kind !== 'octets') throw new Error(`a literal was followed by ${frame.kind}`)
      if (frame.last) this.#piece = undefined
      // The framer's view ends with the next read, and what takes a message may hold it longer.
      if (frame.octets.length > 0) yield new Uint8Array(frame.octets)
      if (frame.last) return
    }
  }
  async #advance(): Promise<void> {
    if (this.#piece !== undefined) throw new SyntaxFailure(0, 'the octets of the literal first')
    const frame = await this.#input.next()
    this.#pulled = false
    if (frame.kind === 'command' || frame.kind === 'literal') this.#piece = frame
    else if (frame.kind === 'bad') throw new BadArgument(frame.text)
    else throw new ProtocolAbort(frame.kind === 'abort' ? frame.text : undefined, `a command was continued by ${frame.kind}`)
  }
}
