import type { OpenFile } from 'mailwright/api'

/** Whole pages alone are handed on: one that is written to once more would have to wait until it is on the disk. */
const PAGE = 4096

/**
 * Hands what is written to a file on to the disk while more is written, so that the sync at the end waits for the last of it alone. The file must not be
 * closed before `settled`.
 */
export class EarlyWriting {
  readonly #file: OpenFile
  /** Behind the last octet that was handed on. */
  #from: number
  #to: number
  #underWay: Promise<void> | undefined

  /** @param from where the file is written front to back */
  constructor(file: OpenFile, from: number) {
    this.#file = file
    this.#from = from - (from % PAGE)
    this.#to = from
  }
  /** All up to here is with the system. */
  wrote(to: number): void {
    this.#to = to - (to % PAGE)
    if (this.#underWay === undefined) this.#begin()
  }
  #begin(): void {
    if (this.#to <= this.#from) return
    this.#underWay = this.#file.beginWriting?.(this.#from, this.#to - this.#from).finally(() => {
      this.#underWay = undefined
    })
    this.#from = this.#to
  }
  /** Nothing is under way any more when it resolves. */
  async settled(): Promise<void> {
    await this.#underWay
  }
}
