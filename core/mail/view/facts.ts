import type { AnyFact } from '../../api/index.js'
import type { LoadableFacts } from '../registry/mailbox-state.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import { VolatileFacts } from './volatile-facts.js'

const volatile = new WeakMap<SharedMailbox, Map<string, LoadableFacts>>()
/** The cache of one fact of a mailbox; in memory alone where the mailbox keeps nothing on the disk. */
export async function factsOf(m: SharedMailbox, fact: AnyFact): Promise<LoadableFacts> {
  if (m.state !== undefined) return m.state.facts(fact)
  let own = volatile.get(m)
  if (own === undefined) volatile.set(m, (own = new Map()))
  const id = `${fact.id}@${fact.version}`
  let facts = own.get(id)
  if (facts === undefined) own.set(id, (facts = new VolatileFacts()))
  return facts
}
