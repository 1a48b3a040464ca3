import { valueEnd } from './wire-list.js'

const OPEN = 0x28
const SP = 0x20

/**
 * BODY from a BODYSTRUCTURE in wire form: the same without extension data, so that one cached fact serves both (RFC 3501 §7.4.2).
 * The octets must be what `writeBodystructure` made.
 */
export function bodyOf(bodystructure: Uint8Array): Uint8Array {
  const out = new Uint8Array(bodystructure.length)
  const stripper = new Stripper(bodystructure, out)
  stripper.body(0)
  return out.subarray(0, stripper.filled)
}

class Stripper {
  readonly #wire: Uint8Array
  readonly #out: Uint8Array
  filled = 0
  constructor(wire: Uint8Array, out: Uint8Array) {
    this.#wire = wire
    this.#out = out
  }

  /** Copies the body that begins at `at`; returns where it ended, extension data passed. */
  body(at: number): number {
    const wire = this.#wire
    const end = valueEnd(wire, at)
    let i = at + 1
    this.#copy(at, i)
    if (wire[i] === OPEN) {
      while (wire[i] === OPEN) i = this.body(i)
      this.#copy(i, valueEnd(wire, i + 1))
    } else {
      const typeEnd = valueEnd(wire, i)
      const type = this.#text(i, typeEnd)
      const subtypeEnd = valueEnd(wire, typeEnd + 1)
      const subtype = this.#text(typeEnd + 1, subtypeEnd)
      let fields = 7
      if (type === '"TEXT"') fields = 8
      const from = i
      for (let n = 0; n < fields; n++) i = this.#past(i)
      this.#copy(from, i)
      if (type === '"MESSAGE"' && subtype === '"RFC822"' && wire[i + 1] === OPEN) {
        const envelopeEnd = valueEnd(wire, i + 1)
        this.#copy(i, envelopeEnd + 1)
        i = this.body(envelopeEnd + 1)
        this.#copy(i, this.#past(i))
      }
    }
    this.#out[this.filled++] = 0x29
    return end
  }

  /** End of the value at `at`, which a blank may precede. */
  #past(at: number): number {
    return valueEnd(this.#wire, this.#wire[at] === SP ? at + 1 : at)
  }
  #text(from: number, to: number): string {
    let out = ''
    for (let i = from; i < to && i < from + 12; i++) out += String.fromCharCode(this.#wire[i]!)
    return out
  }
  #copy(from: number, to: number): void {
    this.#out.set(this.#wire.subarray(from, to), this.filled)
    this.filled += to - from
  }
}
