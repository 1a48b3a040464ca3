import { MailError, type MailProblem } from '../api/index.js'

const PROBLEMS: Readonly<Record<string, MailProblem>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EISDIR: 'not-found',
  ELOOP: 'not-found',
  EEXIST: 'exists',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'read-only',
  // A full disk is nobody's quota: it is the operator who must hear of it.
  ENOSPC: 'unavailable',
  EDQUOT: 'over-quota',
  EFBIG: 'limit',
  ENAMETOOLONG: 'limit',
  EMFILE: 'unavailable',
  ENFILE: 'unavailable',
  EIO: 'unavailable',
  EBUSY: 'in-use',
  ETXTBSY: 'in-use',
  // A pipe or a socket in the place of a file.
  ESPIPE: 'corrupt',
  ENXIO: 'corrupt',
}

/** What a driver threw as what the daemons know: system errors by their code, an abort as `cancelled`; bugs stay as they are. */
export function asMailFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof MailError) return error
  if (error.name === 'AbortError') return new MailError('cancelled', 'the operation was cancelled', { cause: error })
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const kind = code === undefined ? undefined : PROBLEMS[code]
  if (kind === undefined) return error
  return new MailError(kind, error.message, { cause: error })
}
/** Failures of a disk, which pass when somebody mends it. */
const DISK_FAULTS: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'])
/** What the system says of a disk that has failed or is full, where that is among the causes. */
export function diskFaultOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if ('code' in at && DISK_FAULTS.has(at.code)) return at.message
  return undefined
}
/** Throws `cancelled` when the signal was given. */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new MailError('cancelled', 'the operation was cancelled', { cause: signal.reason })
}
/** The promise, or `cancelled` as soon as the signal is given; the promise's own work goes on. */
export async function orCancelled<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  throwIfCancelled(signal)
  let stop: (() => void) | undefined
  const cancelled = new Promise<never>((_, reject) => {
    stop = () => reject(new MailError('cancelled', 'the operation was cancelled', { cause: signal.reason }))
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, cancelled])
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop)
  }
}
