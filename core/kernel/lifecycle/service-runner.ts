import { LOGGER, type Logger, type Service } from '../../api/kernel.js'
import { inject, injectable } from '../container/inject.js'
import { PluginRefusal, wordsOf } from '../loader/refusal.js'
import { withDeadline } from './deadline.js'

/** A service with the name of its owner. */
export interface NamedService {
  readonly plugin: string
  readonly path: string
  readonly made: Service
}

/** Starts services in order and stops them in reverse. A service's failure to stop is logged with its plugin and holds nothing up. */
@injectable()
export class ServiceRunner {
  readonly #logger: Logger
  readonly #running: { readonly service: NamedService; readonly stop: AbortController }[] = []

  constructor(@inject(LOGGER) logger: Logger) {
    this.#logger = logger
  }

  /** @throws PluginRefusal naming the service; those already started keep running until `stop`. */
  async start(service: NamedService, deadlineMs: number): Promise<void> {
    const stop = new AbortController()
    this.#running.push({ service, stop })
    try {
      await withDeadline(`starting ${service.path}`, deadlineMs, () => service.made.start(stop.signal))
    } catch (cause) {
      throw new PluginRefusal('PLG_SERVICE_FAILED', `plugin ${service.plugin}, ${service.path}: ${wordsOf(cause)}`, undefined, { cause })
    }
  }

  /** Never rejects. */
  async stop(deadlineMs: number): Promise<void> {
    for (const { service, stop } of this.#running.splice(0).toReversed()) {
      try {
        await withDeadline(`stopping ${service.path}`, deadlineMs, () => {
          const late = AbortSignal.timeout(deadlineMs)
          stop.abort(new Error('stopping'))
          return service.made.stop(late)
        })
      } catch (cause) {
        this.#logger.error('plugin.stop-failed', { plugin: service.plugin, at: service.path, cause })
      }
    }
  }
}
