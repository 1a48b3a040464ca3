import { logSinks } from '../api/index.js'
import type { ConfigPlan, ConfigSource } from '../config/plan/types.js'
import type { Kernel, KernelOptions } from '../kernel/kernel.js'
import { startKernel } from '../kernel/lifecycle/start.js'
import type { LogHub } from '../log/log-hub.js'
import { knownPoints } from './always.js'
import { kernelOptions } from './kernel-options.js'

/**
 * Starts what a configuration names, within the times that it allows; what is logged goes to its sinks from then on. Nothing listens yet.
 * @throws StartFailure with everything that is wrong; nothing stays open then.
 */
export async function configuredKernel(source: ConfigSource, log: LogHub, more: Partial<Pick<KernelOptions<ConfigPlan>, 'roles' | 'check' | 'unused'>> = {}): Promise<Kernel<ConfigPlan>> {
  const { server } = source.plan(knownPoints)
  const kernel = await startKernel({ ...kernelOptions(source, log), ...more, startTimeoutMs: server.startTimeoutMs, stopTimeoutMs: server.stopTimeoutMs })
  log.use(kernel.process.entries(logSinks).map((entry) => entry.made))
  return kernel
}
