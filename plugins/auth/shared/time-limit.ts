import { MailError } from 'mailwright/api'

/**
 * Runs a question to something outside with a limit of its own. When time is up the question is aborted and it is an outage, whatever
 * comes of it later; whoever else asks is not held up.
 *
 * @param what names the thing asked, for the operator
 */
export async function withinTime<T>(what: string, limitMs: number, signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = AbortSignal.timeout(limitMs)
  const both = AbortSignal.any([signal, limit])
  let onAbort: (() => void) | undefined
  const gone = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.aborted ? new MailError('cancelled', `${what}: the session ended`) : new MailError('unavailable', `${what} gave no answer within ${limitMs} ms`))
    if (both.aborted) onAbort()
    else both.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([ask(both), gone])
  } catch (error) {
    if (error instanceof MailError) throw error
    if (limit.aborted && !signal.aborted) throw new MailError('unavailable', `${what} gave no answer within ${limitMs} ms`, { cause: error })
    throw new MailError('unavailable', `${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  } finally {
    if (onAbort !== undefined) both.removeEventListener('abort', onAbort)
  }
}

/** At most so many at a time; the others wait in order, each until its signal is raised. */
export class CallLimit {
  #free: number
  readonly #waiting: (() => void)[] = []
  constructor(parallel: number) {
    this.#free = parallel
  }
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await this.#wait(signal)
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const place = this.#waiting.indexOf(go)
        if (place >= 0) this.#waiting.splice(place, 1)
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted while waiting for a turn'))
      }
      const go = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      if (signal.aborted) onAbort()
      else {
        this.#waiting.push(go)
        signal.addEventListener('abort', onAbort, { once: true })
      }
    })
  }
}
