import { MailError } from '../api/index.js'
import type { LoginOutcome, LoginRetries, Pop3Completion, Pop3Way, Tweaks } from '../api/index.js'

/** The tweaks of the client that concern a login. */
export function retriesOf(tweaks: Tweaks): LoginRetries {
  return { spacedPasswordRetry: tweaks.spacedPasswordRetry, lowerCaseUserRetry: tweaks.lowerCaseUserRetry }
}

/**
 * What becomes of PASS, AUTH and APOP. A refusal has one text for all reasons and says AUTH; an outage is no refusal (RFC 3206 §4).
 *
 * @param bad the text of the refusal.
 */
export async function loginAnswer(attempt: Promise<LoginOutcome>, by: Pop3Way, bad: string): Promise<Pop3Completion> {
  let outcome: LoginOutcome
  try {
    outcome = await attempt
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    if (error.kind === 'unavailable') return { kind: 'err', code: 'SYS/TEMP', text: 'Not available now, try again later' }
    if (error.kind === 'cancelled' || error.kind === 'unsupported') return { kind: 'err', text: bad }
    throw error
  }
  if (outcome.kind === 'out') return { kind: 'err', code: 'AUTH', text: bad }
  return { kind: 'login', login: { outcome, by } }
}
