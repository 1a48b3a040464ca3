import type { Clock } from '../../api/kernel.js'
import { MailError } from '../../api/mail/error.js'

/**
 * Waits until a whole number of `delayMs` has passed since `startedAt`, at least one.
 *
 * Every refusal takes this way, so that an unknown user (no hash computed), a wrong password (one computed) and a
 * session without attempts answer after the same time. Only the waiting login is held up.
 */
export async function holdRefusal(clock: Clock, startedAt: number, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0) return
  const elapsed = Math.max(0, clock.steady() - startedAt)
  const periods = Math.max(1, Math.ceil(elapsed / delayMs))
  await pause(clock, periods * delayMs - elapsed, signal)
}

/** Rejects with `cancelled` when the signal is raised first. */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const cancelled = (): MailError => new MailError('cancelled', 'the session ended during the failure delay', { cause: signal.reason })
  if (signal.aborted) throw cancelled()
  if (ms <= 0) return
  let timer: Disposable | undefined
  let onAbort: (() => void) | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      onAbort = () => reject(cancelled())
      signal.addEventListener('abort', onAbort, { once: true })
      timer = clock.after(ms, resolve)
    })
  } finally {
    timer?.[Symbol.dispose]()
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}
