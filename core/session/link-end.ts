import { getSystemErrorMap } from 'node:util'
import { ConnectionLost, ProtocolAbort } from '../api/index.js'
import type { Dialect } from './dialects.js'
import { EndOfInput, LostWaiting } from './link-reader.js'

/** What a system says when the other end takes nothing any more. */
const PEER_GONE: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET'])

/**
 * The log's words for a session whose link ended: what was waited for when the client went, in the words of the system when it said why; `Hangup`
 * when the server was about to say something (SIGPIPE of the original), or whoever started the session has hung up.
 * @param killed the word for an end that this server made.
 */
export function endOfLink(error: ConnectionLost, { endOfInput }: Dialect, killed: string): string {
  if (error.how !== 'lost') return error.how === 'stopped' ? killed : 'Hangup'
  if (error instanceof EndOfInput) return `${endOfInput}, while ${error.doing}`
  const system = systemErrorOf(error)
  if (system?.syscall === 'write' || system?.code === 'EPIPE') return 'Hangup'
  const text = system?.text ?? error.message
  if (error instanceof LostWaiting) return `${text}, while ${error.doing}`
  return system !== undefined && PEER_GONE.has(system.code) ? 'Hangup' : `${text}, while writing text`
}

/** How the link of a signal was lost; `cause`: what failed because of it. */
export function lostLink({ reason }: AbortSignal, cause: unknown): ConnectionLost {
  return reason instanceof ConnectionLost ? reason : new ConnectionLost('the link has gone', { cause })
}

/** What ended a session: a reply that could not be finished because the link was gone is the link's end, and no trouble of this server. */
export function whatEnded(error: unknown, signal: AbortSignal): unknown {
  return error instanceof ProtocolAbort && error.bye === undefined && signal.aborted ? lostLink(signal, error) : error
}

interface SystemError {
  readonly code: unknown
  readonly syscall: unknown
  /** Such as `Connection reset by peer`. */
  readonly text: string | undefined
}
/** The first failed system call among the causes. */
function systemErrorOf(error: unknown): SystemError | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (!('code' in at) || !('errno' in at) || typeof at.errno !== 'number') continue
    const said = getSystemErrorMap().get(at.errno)?.[1]
    return { code: at.code, syscall: 'syscall' in at ? at.syscall : undefined, text: said === undefined ? undefined : said.charAt(0).toUpperCase() + said.slice(1) }
  }
  return undefined
}
