import type { Clock, Logger, MailboxSource } from '../../api/index.js'

/** How much less often a source that watches is looked at. */
const WATCHED_POLL = 6

/** Hears that a session may have news, or that a look at the source may find some. */
export type Listener = (what: 'changes' | 'sync') => void

/** What tells when a mailbox is to be looked at. */
export interface LookParts {
  readonly key: string
  readonly source: MailboxSource
  /** Milliseconds between two looks at a source that does not watch. */
  readonly pollMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** Other processes change it with no notice to this one: in their journal. */
  readonly isChangedUnseen: () => boolean
  /** Nothing can be looked at any more. */
  readonly isGone: () => boolean
}
/** When a look began, and after which notice. */
export interface Look {
  readonly signals: number
  readonly began: number
}

/** When the source of a mailbox is to be looked at: after a notice of its own, and now and then while somebody listens. */
export class Looks {
  readonly #parts: LookParts
  readonly #listeners = new Set<Listener>()
  #watch: Disposable | undefined
  #poll: Disposable | undefined
  #isDirty = true
  /** Rises when the source says that a look may find something. */
  #signals = 0
  #lookedAt = -Infinity

  constructor(parts: LookParts) {
    this.#parts = parts
  }
  listen(hear: Listener): Disposable {
    this.#listeners.add(hear)
    this.#pollAgain()
    return { [Symbol.dispose]: () => void this.#listeners.delete(hear) }
  }
  tell(what: 'changes' | 'sync'): void {
    for (const hear of this.#listeners) hear(what)
  }
  /** Something outside the table changed the mailbox: the next `sync` looks. */
  touched(): void {
    this.#isDirty = true
    this.#signals++
    this.tell('sync')
  }
  /** Whether a look can be spared: nothing was heard since the last one, which was not long ago. */
  get areSpared(): boolean {
    const { clock, pollMs } = this.#parts
    return this.#watch !== undefined && !this.#isDirty && clock.steady() - this.#lookedAt < pollMs
  }
  /** Until the look has ended, another session that asks must wait for it. */
  begin(): Look {
    this.#isDirty = true
    return { signals: this.#signals, began: this.#parts.clock.steady() }
  }
  /** `beforehand`: it went by what was found before its turn, which may be older than a notice. */
  ended({ signals, began }: Look, beforehand: boolean): void {
    this.#lookedAt = began
    this.#isDirty = signals !== this.#signals || beforehand
  }
  /** In the next turn of the loop, when the session that opens the mailbox has its answer. What happened since the first look is found by another one. */
  watchSoon(): void {
    const { source, key, logger } = this.#parts
    if (source.watch === undefined) return
    const watch = source.watch.bind(source)
    this.#isDirty = true
    const soon = setImmediate(() => {
      try {
        this.#watch = watch(() => this.touched())
      } catch (error) {
        // It is looked at now and then.
        this.#watch = undefined
        logger.warn('mail.not-watched', { key, error })
      }
      this.touched()
    })
    this.#watch = { [Symbol.dispose]: () => clearImmediate(soon) }
  }
  /**
   * Looked at now and then while somebody listens. Sources that watch too, less often: a network file system tells nothing of what other
   * machines do.
   */
  #pollAgain(): void {
    const { clock, pollMs, isChangedUnseen, isGone } = this.#parts
    if (this.#poll !== undefined || this.#listeners.size === 0 || isGone()) return
    const every = this.#watch === undefined || isChangedUnseen() ? pollMs : WATCHED_POLL * pollMs
    this.#poll = clock.after(every, () => {
      this.#poll = undefined
      this.tell('sync')
      this.#pollAgain()
    })
  }
  /** Nobody watches or looks from now on. */
  stop(): void {
    this.#watch?.[Symbol.dispose]()
    this.#poll?.[Symbol.dispose]()
    this.#watch = undefined
    this.#poll = undefined
  }
}
