/** What the operation under way in a mailbox waits for, told to whoever asked to hear it. */
export class Waits {
  /** Replaced and never changed: one who comes while a line is told hears it as it comes. */
  #hearers: readonly ((text: string) => void)[] = []
  #waitsFor: string | undefined

  /** Calls back at once with what the operation under way waits for, and with what those after it will wait for, until disposed. */
  hear(hear: (text: string) => void): Disposable {
    const own = (text: string): void => hear(text)
    this.#hearers = [...this.#hearers, own]
    if (this.#waitsFor !== undefined) own(this.#waitsFor)
    return { [Symbol.dispose]: () => void (this.#hearers = this.#hearers.filter((other) => other !== own)) }
  }
  /** The operation under way waits. */
  readonly begun = (text: string): void => {
    this.#waitsFor = text
    this.say(text)
  }
  /** What no operation that has the turn waits for. */
  readonly say = (text: string): void => {
    for (const hear of this.#hearers) hear(text)
  }
  /** The operation has ended. */
  over(): void {
    this.#waitsFor = undefined
  }
}
