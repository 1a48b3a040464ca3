import { faultsOf } from '../../api/issues.js'
import { listenerSection } from '../schema/listeners.js'
import { valueOf, type ConfigNode } from '../tree.js'
import type { Faults } from './faults.js'
import type { ListenerPlan } from './types.js'

/** `listeners`: a mapping of names, which appear in logs only. */
export function readListeners(node: ConfigNode | undefined, faults: Faults): ListenerPlan[] {
  if (node === undefined) return []
  if (node.kind !== 'map') {
    faults.at(node, 'CFG_SETTING', 'expected a mapping of names to listeners')
    return []
  }
  const taken = new Map<string, string>()
  return [...node.entries].flatMap(([id, said]): ListenerPlan[] => {
    const result = listenerSection.safeParse(valueOf(said))
    if (!result.success) {
      for (const fault of faultsOf(listenerSection, result.error.issues)) {
        faults.below(said, fault.path, fault.kind === 'unknown-key' ? 'CFG_UNKNOWN_KEY' : 'CFG_SETTING', fault.message, fault.hint)
      }
      return []
    }
    const { protocol, address, port, tls, proxy, maxPerMinute, maxPerMinuteAndAddress } = result.data
    for (const one of port === 0 ? [] : (address ?? ['*'])) {
      const other = taken.get(`${one} ${port}`)
      if (other !== undefined) faults.at(said, 'CFG_DUPLICATE_LISTENER', `port ${port} of ${one === '*' ? 'all addresses' : one} is taken by listener "${other}"`)
      taken.set(`${one} ${port}`, id)
    }
    return [{ id, path: said.at.path, protocol, address, port, tls, proxy, rate: { perMinute: maxPerMinute, perAddressPerMinute: maxPerMinuteAndAddress } }]
  })
}
