import type { AnyFact, FactCache, MailboxCache } from '../../api/index.js'
import type { SourceRegistry } from '../registry/registry.js'
import { factsOf } from '../view/facts.js'
import { encodeRows } from './rows-codec.js'

const NOTHING: FactCache = { get: () => undefined, put: () => undefined, flush: () => Promise.resolve() }

/** The cache as plugins see it: of mailboxes that are open, since core keeps it in their owners' folders. */
export class OpenCaches implements MailboxCache {
  readonly #registry: SourceRegistry
  constructor(registry: SourceRegistry) {
    this.#registry = registry
  }
  async rows(key: string): Promise<Uint8Array | undefined> {
    const open = await this.#registry.borrow(key)
    if (open === undefined) return undefined
    try {
      return encodeRows(key, open.table)
    } finally {
      this.#registry.release(open)
    }
  }
  async facts(key: string, f: AnyFact): Promise<FactCache> {
    const open = await this.#registry.borrow(key)
    if (open === undefined) return NOTHING
    try {
      const facts = await factsOf(open, f)
      if (open.table.length > 0) await facts.load(open.table.generation.uid[0]!, open.table.generation.uid[open.table.length - 1]!)
      return facts
    } finally {
      this.#registry.release(open)
    }
  }
}
