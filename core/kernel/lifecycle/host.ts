import type { ExtensionPoint, Pick, Scope, Token } from '../../api/kernel.js'
import type { ActiveEntry, HostView, ScopeView } from '../kernel.js'
import type { LivePart } from './create.js'

/** The typed view of a part: what main asks by token and point. */
export class PartView implements ScopeView {
  readonly #part: () => LivePart
  constructor(part: () => LivePart) {
    this.#part = part
  }
  get<T>(token: Token<T>): T {
    return this.#part().get(token)
  }
  entries<Made, About>(point: ExtensionPoint<Made, Scope, Pick, About>): readonly ActiveEntry<Made, About>[] {
    // The registry took only contributions whose Made and About are this point's: `to(point).contribute` matched them.
    return this.#part().entries(point.id) as readonly ActiveEntry<Made, About>[]
  }
}

/** A host in use: counts who holds it, and closes when it was replaced and nobody does. */
export class LiveHost extends PartView implements HostView {
  readonly id: string
  readonly generation: number
  readonly part: LivePart
  readonly #close: () => Promise<void>
  #holds = 0
  #retired = false
  #closed: Promise<void> | undefined

  constructor(id: string, generation: number, part: LivePart, close: () => Promise<void>) {
    super(() => part)
    this.id = id
    this.generation = generation
    this.part = part
    this.#close = close
  }

  hold(): Disposable {
    this.#holds++
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (!held) return
        held = false
        this.#holds--
        if (this.#retired && this.#holds === 0) void this.close()
      },
    }
  }

  /** Replaced or removed: closes now or when the last hold is given back. */
  retire(): void {
    this.#retired = true
    if (this.#holds === 0) void this.close()
  }

  /** Whoever holds it. Never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }
}
