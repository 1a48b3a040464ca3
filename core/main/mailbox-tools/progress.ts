import type { Terminal } from '../terminal.js'
import { printable } from './telling.js'

/** Milliseconds between two drawings. */
const PACE_MS = 100

/** How far long work is, on one line of a terminal that is drawn over; nothing where standard error is none. */
export class Progress implements Disposable {
  readonly #out: Terminal['err'] & { readonly isTTY?: boolean }
  readonly #what: string
  readonly #total: number | undefined
  #done = 0
  #drawnMs = 0
  /** `total`: messages, where that is known. */
  constructor(terminal: Terminal, what: string, total?: number) {
    this.#out = terminal.err
    this.#what = printable(what)
    this.#total = total
  }
  step(messages = 1): void {
    this.#done += messages
    const now = Date.now()
    if (this.#out.isTTY !== true || (now - this.#drawnMs < PACE_MS && this.#done !== this.#total)) return
    this.#drawnMs = now
    const part = this.#total === undefined ? '' : ` of ${this.#total}`
    const percent = this.#total === undefined ? '' : `, ${Math.floor((100 * this.#done) / this.#total)} %`
    this.#out.write(`\r\u001B[K${this.#what}: ${this.#done}${part} messages${percent}`)
  }
  [Symbol.dispose](): void {
    if (this.#drawnMs > 0) this.#out.write('\r\u001B[K')
  }
}
