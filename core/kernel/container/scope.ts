import type { DependencyContainer } from 'tsyringe'
import type { Token } from '../../api/kernel.js'
import { keyOf } from './inject.js'
import { container as root } from './tsyringe.js'

/** Closing of one thing; the signal says that its time is up. */
export interface Closer {
  readonly name: string
  close(signal: AbortSignal): Promise<void> | void
}
/** How a scope is closed. */
export interface ClosePolicy {
  /** Of each thing. */
  readonly deadlineMs: number
  failed(name: string, cause: unknown): void
}

/**
 * One lifetime: a container of services and a stack of what must be closed.
 *
 * tsyringe closes everything at once and in no order, and a list registered in a child hides the parent's; so this class
 * registers finished instances only, one per token, and keeps the order of closing itself.
 */
export class ContainerScope {
  readonly name: string
  readonly #container: DependencyContainer
  readonly #parent: ContainerScope | undefined
  readonly #children = new Set<ContainerScope>()
  readonly #closers: Closer[] = []
  readonly #own = new Set<string>()
  #closing: Promise<void> | undefined

  private constructor(name: string, container: DependencyContainer, parent: ContainerScope | undefined) {
    this.name = name
    this.#container = container
    this.#parent = parent
  }

  /** A scope without parent; independent of every other one, so that two servers live in one program. */
  static root(name: string): ContainerScope {
    return new ContainerScope(name, root.createChildContainer(), undefined)
  }

  /** Sees everything of this scope; closed before it. */
  child(name: string): ContainerScope {
    this.#mustBeOpen()
    const child = new ContainerScope(name, this.#container.createChildContainer(), this)
    this.#children.add(child)
    return child
  }

  /** Makes an instance known. With `closer` it is closed when the scope is, after everything that was put later. */
  put<T>(token: Token<T>, value: T, closer?: Closer): void {
    this.#mustBeOpen()
    if (this.#own.has(token.id)) throw new Error(`scope ${this.name} already has "${token.id}"`)
    if (value === undefined || value === null) throw new Error(`nothing was created for "${token.id}"`)
    this.#own.add(token.id)
    this.#container.register(keyOf(token), { useValue: value })
    if (closer !== undefined) this.#closers.push(closer)
  }

  /** Keeps something to close that is no service. */
  onClose(closer: Closer): void {
    this.#mustBeOpen()
    this.#closers.push(closer)
  }

  /** Whether this scope or one around it has it. */
  has(token: Token<unknown>): boolean {
    return this.#own.has(token.id) || (this.#parent?.has(token) ?? false)
  }

  /** The nearest instance. */
  get<T>(token: Token<T>): T {
    if (!this.has(token)) throw new Error(`nothing provides "${token.id}" in scope ${this.name}`)
    // put() accepts only a T for a Token<T>, and token ids are unique among plugins (checked at freeze).
    return this.#container.resolve<T>(keyOf(token))
  }

  /** A new object of a class whose constructor parameters carry `@inject`. */
  build<T>(type: new (...args: never[]) => T): T {
    this.#mustBeOpen()
    return this.#container.resolve<T>(type as new (...args: unknown[]) => T)
  }

  /** Children first, then own things, last put first closed. A thing that hangs is given up at its deadline. Never rejects; twice does no harm. */
  close(policy: ClosePolicy): Promise<void> {
    this.#closing ??= this.#close(policy)
    return this.#closing
  }

  async #close(policy: ClosePolicy): Promise<void> {
    for (const child of [...this.#children].toReversed()) await child.close(policy)
    for (const closer of this.#closers.toReversed()) await closeOne(closer, policy)
    this.#closers.length = 0
    if (this.#parent !== undefined) this.#parent.#children.delete(this)
    await this.#container.dispose()
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw new Error(`scope ${this.name} is closed`)
  }
}

async function closeOne(closer: Closer, policy: ClosePolicy): Promise<void> {
  const late = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const cause = new Error(`not closed after ${policy.deadlineMs} ms`)
      late.abort(cause)
      reject(cause)
    }, policy.deadlineMs)
  })
  try {
    // In a function of its own, so that a synchronous throw is a rejection too.
    await Promise.race([(async () => closer.close(late.signal))(), deadline])
  } catch (cause) {
    policy.failed(closer.name, cause)
  } finally {
    clearTimeout(timer)
  }
}
