import { CLOCK, observers, transcripts } from '../api/index.js'
import type { Logger, ObservedSession } from '../api/index.js'
import type { ConfigPlan } from '../config/plan/types.js'
import type { Kernel } from '../kernel/kernel.js'
import type { LinkWatch } from '../net/byte-link.js'
import { hopsOf } from '../session/watch/hops.js'
import { tapOf } from '../session/watch/transcript.js'

/** Who watches a session; undefined: nobody, and nothing of it costs anything. `close` when the session is over. */
export function watchOf(process: Kernel<ConfigPlan>['process'], session: ObservedSession, logger: Logger): (LinkWatch & { close(): void }) | undefined {
  const hops = hopsOf(process.entries(observers), session, logger)
  const sinks = process.entries(transcripts)
  const tap = sinks.length === 0 ? undefined : tapOf(sinks, session, process.get(CLOCK), logger)
  if (hops === undefined && tap === undefined) return undefined
  return {
    hops,
    tap,
    close() {
      hops?.close()
      tap?.close()
    },
  }
}
