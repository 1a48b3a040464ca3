import { isAscii } from 'node:buffer'
import { asBuffer } from './octets.js'

const ESC = 0x1b

/**
 * Guesses the character set of a text whose header says none, while its octets pass by: ISO-2022-JP by its escapes, US-ASCII for seven bits,
 * else X-UNKNOWN. The answer does not depend on how the octets are cut.
 */
export class CharsetGuess {
  #eightBit = false
  #japanese = false
  /** How much of `ESC $ B` was seen at the end of the last piece. */
  #escape = 0
  observe(octets: Uint8Array): void {
    if (this.#japanese || octets.length === 0) return
    if (!this.#eightBit && !isAscii(octets)) this.#eightBit = true
    const buffer = asBuffer(octets)
    let at = 0
    while (at < buffer.length) {
      if (this.#escape === 0) {
        at = buffer.indexOf(ESC, at)
        if (at === -1) return
        this.#escape = 1
      } else {
        const c = buffer[at]!
        if (c === ESC) this.#escape = 1
        else if (this.#escape === 1 && c === 0x24) this.#escape = 2
        else if (this.#escape === 2 && (c === 0x42 || c === 0x40)) {
          this.#japanese = true
          return
        } else this.#escape = 0
      }
      at++
    }
  }
  answer(encoding: string): string {
    if (this.#japanese) return 'ISO-2022-JP'
    if (this.#eightBit) return 'X-UNKNOWN'
    return encoding === '7BIT' || encoding === '8BIT' || encoding === 'BINARY' ? 'US-ASCII' : 'X-UNKNOWN'
  }
}
