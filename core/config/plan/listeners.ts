import { resolve } from 'node:path'
import type { z } from 'zod'
import { faultsOf } from '../../api/issues.js'
import { listenerSection, loopbackProtocols, withoutStartTls } from '../schema/listeners.js'
import { valueOf, type ConfigNode } from '../tree.js'
import type { Faults } from './faults.js'
import type { ConfigPlan, ListenerPlan } from './types.js'

/** What each of `listeners` is said to speak, whatever else is wrong with it. */
export function spokenIn(node: ConfigNode | undefined): ConfigPlan['spoken'] {
  if (node?.kind !== 'map') return []
  return [...node.entries.values()].flatMap((said) => {
    const named = said.kind === 'map' ? said.entries.get('protocol') : undefined
    const protocol = named === undefined ? undefined : valueOf(named)
    return typeof protocol === 'string' && protocol !== '' ? [{ protocol, path: `${said.at.path}.protocol` }] : []
  })
}

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
    const { protocol, proxy, maxPerMinute, maxPerMinuteAndAddress } = result.data
    placeFaults(result.data, said, faults)
    const lacksStartTls = withoutStartTls.has(protocol)
    if (lacksStartTls && result.data.tls === 'starttls') faults.below(said, '.tls', 'CFG_SETTING', `${protocol} has no STARTTLS`, 'say "none", or "implicit" on a port of its own')
    const tls = result.data.tls ?? (lacksStartTls ? 'none' : 'starttls')
    const { mode = 0o600, owner, group } = result.data
    const unix = result.data.unix === undefined ? undefined : { path: resolve(said.at.folder, result.data.unix), mode, owner, group }
    const address = unix === undefined ? (result.data.address ?? (loopbackProtocols.has(protocol) ? ['localhost'] : undefined)) : undefined
    const port = result.data.port ?? 0
    for (const { place, text } of unix === undefined ? tcpPlaces(address, port) : [{ place: unix.path, text: unix.path }]) {
      const other = taken.get(place)
      if (other !== undefined) faults.at(said, 'CFG_DUPLICATE_LISTENER', `${text} is taken by listener "${other}"`)
      taken.set(place, id)
    }
    return [{ id, path: said.at.path, protocol, address, port, unix, tls, proxy, rate: { perMinute: maxPerMinute, perAddressPerMinute: maxPerMinuteAndAddress } }]
  })
}

/** A port of the system's choice is nobody else's. */
function tcpPlaces(address: readonly string[] | undefined, port: number): readonly { readonly place: string; readonly text: string }[] {
  if (port === 0) return []
  return (address ?? ['*']).map((one) => ({ place: `${one} ${port}`, text: `port ${port} of ${one === '*' ? 'all addresses' : one}` }))
}

type Said = z.output<typeof listenerSection>
/** Settings of the one kind of place that mean nothing at the other. */
const ONLY_TCP = ['address', 'port'] as const satisfies readonly (keyof Said)[]
const ONLY_UNIX = ['mode', 'owner', 'group'] as const satisfies readonly (keyof Said)[]

function placeFaults(data: Said, said: ConfigNode, faults: Faults): void {
  if (data.unix === undefined && data.port === undefined) faults.at(said, 'CFG_SETTING', 'expected "port", or "unix" with the path of a socket file')
  const wrong = data.unix === undefined ? ONLY_UNIX : ONLY_TCP
  for (const key of wrong) if (data[key] !== undefined) faults.below(said, `.${key}`, 'CFG_SETTING', data.unix === undefined ? `"${key}" is for socket files ("unix") alone` : `a socket file ("unix") has no "${key}"`)
  if (data.unix !== undefined && data.proxy.length > 0) faults.below(said, '.proxy', 'CFG_SETTING', 'proxies are known by their addresses, and whoever connects to a socket file has none')
}
