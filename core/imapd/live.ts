import type { ImapSession } from '../api/index.js'
import { LiveSession } from './session.js'

/** The session with what base commands need besides the contract: they never meet another kind. */
export function liveSession(session: ImapSession): LiveSession {
  if (session instanceof LiveSession) return session
  throw new Error('base commands run in sessions of this server')
}
