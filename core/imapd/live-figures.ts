import { SYSTEM } from '../api/index.js'
import type { MailLocation, MailboxFigures, MailboxView } from '../api/index.js'

/** Figures of the selected mailbox, as this session sees it; counted when asked. */
export class LiveFigures implements MailboxFigures {
  readonly #view: MailboxView
  constructor(view: MailboxView) {
    this.#view = view
  }
  get at(): MailLocation {
    return this.#view.at.at
  }
  get messages(): number {
    return this.#view.announced
  }
  get recent(): number {
    return this.#view.recentCount
  }
  get unseen(): number {
    return this.messages - this.#having(SYSTEM.seen)
  }
  get deleted(): number {
    return this.#having(SYSTEM.deleted)
  }
  /** Rows with gaps were filled before. */
  get size(): number {
    const { size } = this.#view.rows
    let total = 0
    for (let row = 0; row < this.messages; row++) total += size[row]!
    return total
  }
  get uidNext(): number {
    return this.#view.uidNext
  }
  get uidValidity(): number {
    return this.#view.uidValidity
  }
  get highestModseq(): number {
    return this.#view.highestModseq
  }
  #having(bit: number): number {
    const { flags, flagSets } = this.#view.rows
    const has = flagSets.map((set) => (set.system & bit) !== 0)
    let count = 0
    for (let row = 0; row < this.messages; row++) if (has[flags[row]!] === true) count++
    return count
  }
}
