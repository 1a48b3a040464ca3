import { protocols } from '../api/index.js'
import type { Problem } from '../api/index.js'
import { didYouMean } from '../api/issues.js'
import type { ListenerPlan } from '../config/plan/types.js'
import type { ResolvedSlot } from '../kernel/kernel.js'
import { inNetworks } from '../net/addresses.js'

const OTHERS_MAY_WRITE = 0o002

/** Listeners whose protocol no host serves: every connection to them would be closed without a word. */
export function protocolFaults(listeners: readonly ListenerPlan[], served: readonly string[]): readonly Problem[] {
  const names = [...new Set(served)]
  return listeners
    .filter((l) => !names.includes(l.protocol))
    .map((l) => ({
      code: 'CFG_UNKNOWN_NAME',
      severity: 'error',
      path: `${l.path}.protocol`,
      message: `no host serves the protocol "${l.protocol}"`,
      hint: didYouMean(l.protocol, names) ?? `there is ${names.join(', ')}`,
    }))
}

/** Listeners by which strangers could write to everybody: there is no login in these protocols. */
export function deliveryFaults(listeners: readonly ListenerPlan[], slots: readonly ResolvedSlot[]): readonly Problem[] {
  const delivering = deliveringProtocols(slots)
  return listeners.flatMap(({ id, protocol, address, unix, path }): readonly Problem[] => {
    if (!delivering.has(protocol)) return []
    const fault = (message: string, hint: string): readonly Problem[] => [{ code: 'NET_OPEN_DELIVERY', severity: 'warning', path, message: `listener "${id}": ${message}`, hint }]
    if (unix !== undefined) return (unix.mode & OTHERS_MAY_WRITE) === 0 ? [] : fault(`every account of this machine may connect to ${unix.path} and hand over mail for everybody`, 'take the permission away from others ("mode: 0660"), and name the owner or group of the mail transport')
    const open = (address ?? ['every address']).filter((one) => !isLoopback(one))
    return open.length === 0 ? [] : fault(`whoever reaches ${open.join(', ')} may hand over mail for everybody, for ${protocol} has no login`, 'listen on a socket file or on localhost, or let a firewall admit the mail transport alone')
  })
}
function isLoopback(address: string): boolean {
  return address === 'localhost' || inNetworks(['127.0.0.0/8', '::1'], address)
}

/** Names of the protocols by which whoever connects may hand over mail for everybody. */
export function deliveringProtocols(slots: readonly ResolvedSlot[]): ReadonlySet<string> {
  const entries = slots.filter(({ point }) => point === protocols.id).flatMap((slot) => slot.entries)
  return new Set(entries.filter(({ about }) => typeof about === 'object' && about !== null && 'delivers' in about && about.delivers === true).map(({ name }) => name))
}
