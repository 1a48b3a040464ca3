import type { OpenFile } from 'mailwright/api'

/**
 * Tries the kernel locks in the given order, once each. A kind that this machine or file system lacks is passed over:
 * the dot-lock remains. When one is busy, those taken before it are given back.
 */
export function takeKernelLocks(file: OpenFile, kinds: readonly ('flock' | 'fcntl')[], mode: 'shared' | 'exclusive'): boolean {
  for (const [n, kind] of kinds.entries()) {
    if (file.lock(kind, mode) !== 'busy') continue
    for (const taken of kinds.slice(0, n).toReversed()) file.unlock(taken)
    return false
  }
  return true
}

/** Gives them back in reverse order. */
export function releaseKernelLocks(file: OpenFile, kinds: readonly ('flock' | 'fcntl')[]): void {
  for (const kind of kinds.toReversed()) file.unlock(kind)
}
