import { protocols } from '../api/index.js'
import type { Problem } from '../api/index.js'
import { didYouMean } from '../api/issues.js'
import type { ConfigPlan, ListenerPlan } from '../config/plan/types.js'
import type { KernelOptions, ResolvedSlot } from '../kernel/kernel.js'
import { inNetworks } from '../net/addresses.js'

const OTHERS_MAY_WRITE = 0o002

/**
 * What is checked of the listeners together with everything else. A server without any is an error for `serve`, which would wait for nothing; `check` only
 * warns of it, since `imapd`, `pop3d` and `deliver` need none.
 */
export function checkListeners(withoutAny: Problem['severity']): NonNullable<KernelOptions<ConfigPlan>['check']> {
  return ({ plan: { spoken, listeners, problems }, slots }) => {
    const served = slots.filter(({ point }) => point === protocols.id).flatMap(({ entries }) => entries.map(({ name }) => name))
    const none = listeners.length === 0 && !problems.some(({ path }) => path.startsWith('listeners'))
    return [...protocolFaults(spoken, served), ...(none ? [noListener(withoutAny)] : [])]
  }
}
function noListener(severity: Problem['severity']): Problem {
  return { code: 'CFG_NO_LISTENER', severity, path: 'listeners', message: 'there is no listener, so "serve" would serve nobody', hint: 'name what is to be listened on, such as "imap: { protocol: imap4, port: 143 }"' }
}

/** Listeners whose protocol no host serves: every connection to them would be closed without a word. */
export function protocolFaults(spoken: ConfigPlan['spoken'], served: readonly string[]): readonly Problem[] {
  const names = [...new Set(served)]
  return spoken
    .filter(({ protocol }) => !names.includes(protocol))
    .map(({ protocol, path }) => ({
      code: 'CFG_UNKNOWN_NAME',
      severity: 'error',
      path,
      message: `no host serves the protocol "${protocol}"`,
      hint: didYouMean(protocol, names) ?? `there is ${names.join(', ')}`,
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
