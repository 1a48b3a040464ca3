import { closeSync, fstatSync, openSync } from 'node:fs'

const STANDARD_INPUT = 0
const STANDARD_ERROR = 2

/**
 * inetd puts the connection on standard error too, where a line of the log would reach the client in the middle of the protocol. Then nothing is
 * said there; the log goes where the configuration sends it. To be called before anything has used standard error.
 */
export function detachStderr(): void {
  // Once at the start of a process that serves one connection: nobody waits for these calls.
  const input = fstatSync(STANDARD_INPUT)
  const error = fstatSync(STANDARD_ERROR)
  if (!input.isSocket() || input.ino !== error.ino || input.dev !== error.dev) return
  closeSync(STANDARD_ERROR)
  // The lowest number that is free is the one that has just been closed.
  openSync('/dev/null', 'w')
}
