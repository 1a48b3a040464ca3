import type { AnyFact } from '../../api/index.js'
import type { LoadableFacts } from '../registry/mailbox-state.js'
import type { SharedMailbox } from '../registry/shared-mailbox.js'
import { VolatileFacts } from './volatile-facts.js'

/** By fact, as long as a number means one message. */
interface Own {
  readonly epoch: number
  readonly facts: Map<string, LoadableFacts>
}
const volatile = new WeakMap<SharedMailbox, Own>()
/** The cache of one fact of a mailbox; in memory alone where the mailbox keeps nothing on the disk. */
export async function factsOf(m: SharedMailbox, fact: AnyFact): Promise<LoadableFacts> {
  if (m.state !== undefined) return m.state.cache.facts(fact)
  const { epoch } = m.table
  let own = volatile.get(m)
  if (own?.epoch !== epoch) volatile.set(m, (own = { epoch, facts: new Map() }))
  const id = `${fact.id}@${fact.version}`
  let facts = own.facts.get(id)
  if (facts === undefined) own.facts.set(id, (facts = new VolatileFacts()))
  return facts
}
