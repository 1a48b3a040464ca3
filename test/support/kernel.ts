import { configOf } from '../../core/config/config.js'
import type { ConfigPlan } from '../../core/config/plan/types.js'
import { definePlugin, LOGGER, StartFailure, type Logger, type Plugin, type PluginSetup } from '../../core/api/index.js'
import type { BuiltinRow, KernelOptions } from '../../core/kernel/kernel.js'
import type { AnyPoint } from '../../core/kernel/plan.js'

/** A logger that keeps its events. */
export function keepingLogger(): Logger & { readonly events: { readonly level: string; readonly event: string; readonly facts: object | undefined }[] } {
  const events: { level: string; event: string; facts: object | undefined }[] = []
  const keep = (level: string) => (event: string, facts?: object) => {
    events.push({ level, event, facts })
  }
  return { events, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}

/** A plugin of this API version. */
export function plugin(id: string, setup: (p: PluginSetup) => void, api: `${number}.${number}` = '1.0'): Plugin {
  return definePlugin({ id, api, summary: `test plugin ${id}`, setup })
}

/** A built-in row for a plugin that is at hand; `loads` counts imports. */
export function row(p: Plugin, ...provides: readonly (readonly [point: string, name: string])[]): BuiltinRow & { loads: number } {
  const it = {
    id: p.id,
    provides: provides.map(([point, name]) => ({ point, name })),
    loads: 0,
    load: async () => {
      it.loads++
      return { default: p }
    },
  }
  return it
}

/** Options around a configuration value. */
export function kernelOptions(
  config: object,
  more: Partial<Omit<KernelOptions<ConfigPlan>, 'source'>> & { folder?: string; reading?: readonly AnyPoint[] } = {},
): KernelOptions<ConfigPlan> & { readonly logger: ReturnType<typeof keepingLogger> } {
  const logger = keepingLogger()
  const { folder = '/nowhere', reading, ...rest } = more
  return {
    source: configOf(config, folder),
    builtins: [],
    always: [],
    points: [],
    reads: reading ?? [],
    given: [{ token: LOGGER, value: logger }],
    roles: ['front', 'auth', 'mail'],
    startTimeoutMs: 5_000,
    stopTimeoutMs: 5_000,
    ...rest,
    logger,
  }
}

/** What a start that must fail says. */
export async function problemsOf(start: Promise<unknown>): Promise<string[]> {
  try {
    await start
  } catch (cause) {
    if (cause instanceof StartFailure) return cause.problems.map((p) => `${p.code} ${p.path}: ${p.message}`)
    throw cause
  }
  throw new Error('it started')
}
