import type { TransportLayer, TransportLayerKind } from 'mailwright/api'
import { MOST_RECEIVED_OCTETS, type LayerName } from './calls.js'
import type { Gss, GssHandle } from './native.js'

/** Its name among the transport layers. */
export const GSS_LAYER = 'gss-wrap'
/** What a client chose; bytes, because the session may run in another process than the login. */
export interface LayerState {
  readonly layer: Exclude<LayerName, 'none'>
  /** Most octets that fit into a token that the client takes. */
  readonly mostOctets: number
  readonly context: Uint8Array
}
const HEAD_OCTETS = 5
const LENGTH_OCTETS = 4

export function encodeLayer({ layer, mostOctets, context }: LayerState): Uint8Array {
  const out = Buffer.alloc(HEAD_OCTETS + context.length)
  out[0] = layer === 'confidentiality' ? 1 : 0
  out.writeUInt32BE(mostOctets, 1)
  out.set(context, HEAD_OCTETS)
  return out
}
export function decodeLayer(state: Uint8Array): LayerState {
  const view = Buffer.from(state.buffer, state.byteOffset, state.byteLength)
  return { layer: view[0] === 1 ? 'confidentiality' : 'integrity', mostOctets: view.readUInt32BE(1), context: view.subarray(HEAD_OCTETS) }
}

/** Opens layers from what the mechanism left. */
export class GssLayerKind implements TransportLayerKind {
  readonly #gss: Gss
  constructor(gss: Gss) {
    this.#gss = gss
  }
  open(state: Uint8Array): TransportLayer {
    return new GssLayer(this.#gss, decodeLayer(state))
  }
}

/** RFC 4752 §3.3 and RFC 4422 §3.7: tokens of GSS_Wrap, each behind its length in four octets. Calls take microseconds and wait for nothing. */
class GssLayer implements TransportLayer {
  readonly #gss: Gss
  readonly #context: GssHandle
  readonly #confidential: boolean
  readonly #mostOctets: number
  /** The length of the token that comes, then the token, as far as it is there. */
  #frame = Buffer.alloc(LENGTH_OCTETS)
  #filled = 0
  #isLength = true
  #waiting: Uint8Array[] = []
  #isOpen = true

  constructor(gss: Gss, { layer, mostOctets, context }: LayerState) {
    this.#gss = gss
    this.#context = gss.import(context)
    this.#confidential = layer === 'confidentiality'
    this.#mostOctets = mostOctets
  }

  inbound(chunk: Uint8Array, emit: (plain: Uint8Array) => void): void {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + this.#frame.length - this.#filled)
      this.#frame.set(piece, this.#filled)
      this.#filled += piece.length
      at += piece.length
      if (this.#filled === this.#frame.length) this.#whole(emit)
    }
  }
  outbound(chunk: Uint8Array): void {
    this.#waiting.push(chunk)
  }
  flush(emit: (wrapped: Uint8Array) => void): void {
    const plain = Buffer.concat(this.#waiting)
    this.#waiting = []
    for (let at = 0; at < plain.length; at += this.#mostOctets) {
      const token = this.#gss.wrap(this.#context, plain.subarray(at, at + this.#mostOctets), this.#confidential)
      const length = Buffer.alloc(LENGTH_OCTETS)
      length.writeUInt32BE(token.length)
      emit(length)
      emit(token)
    }
  }
  close(): void {
    if (this.#isOpen) this.#gss.forget(this.#context)
    this.#isOpen = false
  }

  #whole(emit: (plain: Uint8Array) => void): void {
    const { length } = this.#frame
    if (this.#isLength) {
      const next = this.#frame.readUInt32BE()
      if (next === 0 || next > MOST_RECEIVED_OCTETS) throw new RangeError(`a token of ${next} octets`)
      this.#next(next, false)
      return
    }
    const { plain, confidential } = this.#gss.unwrap(this.#context, this.#frame.subarray(0, length))
    if (this.#confidential && !confidential) throw new TypeError('a token in clear, where encryption was agreed')
    this.#next(LENGTH_OCTETS, true)
    emit(plain)
  }
  #next(octets: number, isLength: boolean): void {
    this.#frame = Buffer.alloc(octets)
    this.#filled = 0
    this.#isLength = isLength
  }
}
