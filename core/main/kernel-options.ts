import { ALL_ROLES, LOGGER } from '../api/index.js'
import { builtinPlugins } from '../../plugins/builtin.js'
import type { ConfigPlan, ConfigSource } from '../config/plan/types.js'
import type { startKernel } from '../kernel/lifecycle/start.js'
import type { LogHub } from '../log/log-hub.js'
import { alwaysOn, knownPoints, readByMain } from './always.js'

/** The kernel's options, the same for start, check and explain. */
export function kernelOptions(source: ConfigSource, log: LogHub): Parameters<typeof startKernel<ConfigPlan>>[0] {
  return {
    source,
    builtins: builtinPlugins,
    always: alwaysOn,
    points: knownPoints,
    reads: readByMain,
    given: [{ token: LOGGER, value: log }],
    logger: log,
    roles: ALL_ROLES,
  }
}
