import type { Step } from '../kernel.js'

/** Measures steps inside steps; what is read from it is a plain tree. */
export class Timing {
  readonly #steps: Step[] = []
  readonly #name: string
  readonly #began = performance.now()

  constructor(name: string) {
    this.#name = name
  }

  /** Runs a step; it is in the tree also when it throws. */
  async step<T>(name: string, run: (inner: Timing) => T | Promise<T>): Promise<T> {
    const inner = new Timing(name)
    try {
      return await run(inner)
    } finally {
      this.#steps.push(inner.tree())
    }
  }

  tree(): Step {
    return { name: this.#name, ms: performance.now() - this.#began, steps: [...this.#steps] }
  }
}
