import type { Logger, LogSink } from '../api/index.js'
import type { Level } from './level.js'

const NOTHING: Readonly<Record<string, unknown>> = Object.freeze({})

/**
 * The logger of a process. Sinks come and go with the configuration; lines go to `first` as long as there is none, so that nothing
 * that happens during the start is lost. A sink that throws is left out of that line; logging never fails what is logged.
 */
export class LogHub implements Logger {
  readonly #first: LogSink
  #sinks: readonly LogSink[] = []

  constructor(first: LogSink) {
    this.#first = first
  }

  /** Replaces all sinks; an empty list brings back the first. */
  use(sinks: readonly LogSink[]): void {
    this.#sinks = [...sinks]
  }

  debug(event: string, facts?: object): void {
    this.#write('debug', event, facts)
  }
  info(event: string, facts?: object): void {
    this.#write('info', event, facts)
  }
  warn(event: string, facts?: object): void {
    this.#write('warn', event, facts)
  }
  error(event: string, facts?: object): void {
    this.#write('error', event, facts)
  }

  #write(level: Level, event: string, facts: object | undefined): void {
    const record: Readonly<Record<string, unknown>> = facts === undefined ? NOTHING : { ...facts }
    if (this.#sinks.length === 0) {
      this.#first.write(level, event, record)
      return
    }
    for (const sink of this.#sinks) {
      try {
        sink.write(level, event, record)
      } catch (error) {
        if (sink !== this.#first) this.#first.write('warn', 'a log sink failed', { error })
      }
    }
  }
}

/** A logger whose lines all carry `facts`. */
export function withFacts(logger: Logger, facts: object): Logger {
  return {
    debug: (event, more) => logger.debug(event, { ...facts, ...more }),
    info: (event, more) => logger.info(event, { ...facts, ...more }),
    warn: (event, more) => logger.warn(event, { ...facts, ...more }),
    error: (event, more) => logger.error(event, { ...facts, ...more }),
  }
}
