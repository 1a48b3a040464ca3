import type { Problem } from '../api/index.js'
import { didYouMean } from '../api/issues.js'
import type { ListenerPlan } from '../config/plan/types.js'

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
