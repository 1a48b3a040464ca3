import { MailError, type Clock } from 'mailwright/api'
import { CallLimit, withinTime } from '../time-limit.js'
import type { Calls } from './called.js'
import { Child, type ChildProgram } from './child.js'

/** How many calls run at the same time, each in a process of its own, and how long one may take. */
export interface CallLimits {
  readonly timeoutMs: number
  readonly parallel: number
}
/** Something that a child keeps, such as an open handle of a library: what concerns it is asked of that child. */
export interface Kept<C extends Calls> {
  call<K extends keyof C & string>(name: K, argument: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>>
  /** The child keeps it no longer. Twice does no harm. */
  letGo(): void
}

/** A child that nobody needs is ended after so long; one stays. */
const IDLE_MS = 60_000
/** A child that does not answer and keeps something may still come back to let go of it. */
const GRACE_MS = 60_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/**
 * Calls that may block for long or crash (libraries of the system), each made in a child process; children are started when they are
 * needed, given only the environment that the program names, and ended when they do not answer in time. A call is the whole of what a child
 * does at a time, so a slow one holds up no other as long as there is a child to be had.
 */
export class CallPool<C extends Calls> implements AsyncDisposable {
  readonly #program: ChildProgram
  readonly #limits: CallLimits
  readonly #clock: Clock
  readonly #turns: CallLimit
  readonly #children = new Set<Child>()
  /** Ends that are to come. */
  readonly #timers = new Map<Child, NodeJS.Timeout>()
  /** Ends of children in a row that never answered or crashed. */
  #failures = 0
  #notBefore = 0
  #lastReason = ''
  #closed = false

  constructor(program: ChildProgram, limits: CallLimits, clock: Clock) {
    this.#program = program
    this.#limits = limits
    this.#clock = clock
    this.#turns = new CallLimit(limits.parallel)
  }

  /** @throws MailError `unavailable`, or `cancelled` when the signal is raised; the call itself then goes on to its end or its limit. */
  call<K extends keyof C & string>(name: K, argument: Parameters<C[K]>[0], signal: AbortSignal): Promise<Awaited<ReturnType<C[K]>>> {
    return this.#run(signal, (child) => this.#ask(child, name, argument))
  }

  /** The same where the child keeps something because of it. When nobody waits for the answer any more, `abandoned` is told what there is to let go of. */
  callAndKeep<K extends keyof C & string>(
    name: K,
    argument: Parameters<C[K]>[0],
    signal: AbortSignal,
    abandoned: (value: Awaited<ReturnType<C[K]>>, kept: Kept<C>) => void,
  ): Promise<{ readonly value: Awaited<ReturnType<C[K]>>; readonly kept: Kept<C> }> {
    let isGone = false
    const answered = this.#run(signal, async (child) => {
      child.held++
      const kept = this.#keep(child)
      try {
        const value = await this.#ask(child, name, argument)
        if (isGone) abandoned(value, kept)
        return { value, kept }
      } catch (error) {
        kept.letGo()
        throw error
      }
    })
    return answered.catch((error: unknown) => {
      isGone = true
      throw error
    })
  }

  /** Pids of the children that there are. */
  get pids(): readonly number[] {
    return [...this.#children].flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
  }

  /** Ends every child, whatever it is at. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    await Promise.all([...this.#children].map((child) => child.end()))
  }

  #run<T>(signal: AbortSignal, work: (child: Child) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#limits
    return withinTime(this.#program.name, timeoutMs, signal, (both) => this.#turns.run(both, () => work(this.#choose())))
  }
  async #ask<K extends keyof C & string>(child: Child, name: K, argument: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>> {
    if (!child.isGivenUp) this.#leave(child)
    try {
      // The child answers by the table that is this pool's type.
      return (await child.ask(name, argument, this.#limits.timeoutMs)) as Awaited<ReturnType<C[K]>>
    } finally {
      if (child.hasAnswered) this.#failures = 0
      this.#settle(child)
    }
  }
  #keep(child: Child): Kept<C> {
    let isKept = true
    return {
      call: (name, argument) => this.#ask(child, name, argument),
      letGo: () => {
        if (isKept) child.held--
        isKept = false
        this.#settle(child)
      },
    }
  }

  #choose(): Child {
    const usable = [...this.#children].filter((child) => !child.isGivenUp)
    const free = usable.find(({ load }) => load === 0)
    if (free !== undefined) return free
    if (usable.length < this.#limits.parallel && this.#clock.steady() >= this.#notBefore) return this.#start()
    const [least] = usable.toSorted((a, b) => a.load - b.load)
    if (least === undefined) throw new MailError('unavailable', `${this.#program.name}: ${this.#lastReason}`)
    return least
  }

  #start(): Child {
    if (this.#closed) throw new MailError('unavailable', `${this.#program.name}: the server stops`)
    const child = new Child(this.#program)
    this.#children.add(child)
    void child.ended.then((why) => {
      this.#children.delete(child)
      this.#leave(child)
      if (child.isGivenUp) return
      this.#lastReason = why
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures)
      // The first is replaced at once: what crashed it may have been the one call.
      if (this.#failures++ > 0) this.#notBefore = this.#clock.steady() + pause
    })
    return child
  }

  /** What becomes of a child that has nothing to do, or does not answer. */
  #settle(child: Child): void {
    if (!this.#children.has(child) || this.#closed) return
    if (!child.isGivenUp) {
      if (child.load === 0 && child.held === 0) this.#later(child, IDLE_MS, () => this.#children.size > 1)
      return
    }
    if (child.held === 0) child.kill()
    else if (!this.#timers.has(child)) this.#later(child, GRACE_MS, () => child.load > 0)
    const lost = [...this.#children].filter(({ isGivenUp }) => isGivenUp)
    if (lost.length > this.#limits.parallel) lost[0]?.kill()
  }
  /** Ends it after a while, if it is still so. */
  #later(child: Child, ms: number, isSo: () => boolean): void {
    this.#leave(child)
    const timer = setTimeout(() => {
      if (!isSo()) return
      child.isGivenUp = true
      child.kill()
    }, ms)
    timer.unref()
    this.#timers.set(child, timer)
  }
  #leave(child: Child): void {
    clearTimeout(this.#timers.get(child))
    this.#timers.delete(child)
  }
}
