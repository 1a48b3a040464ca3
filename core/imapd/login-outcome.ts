import { MailError } from '../api/index.js'
import type { ImapCompletion, LoginOutcome, LoginRetries, Tweaks } from '../api/index.js'
import { capabilityCode, capabilityList } from './capabilities.js'
import type { LiveSession } from './session.js'
import { cut } from './texts.js'

/** The tweaks that concern a login. */
export function retriesOf(tweaks: Tweaks): LoginRetries {
  return { spacedPasswordRetry: tweaks.spacedPasswordRetry, lowerCaseUserRetry: tweaks.lowerCaseUserRetry }
}

/**
 * The tagged line of LOGIN and AUTHENTICATE. A refusal has one text for all reasons; an outage is no refusal, and says so (RFC 5530 §3).
 *
 * @param what `LOGIN`, `AUTHENTICATE PLAIN`.
 */
export async function loginCompletion(attempt: Promise<LoginOutcome>, what: string, session: LiveSession): Promise<ImapCompletion> {
  const { dialect } = session.host
  let outcome: LoginOutcome
  try {
    outcome = await attempt
  } catch (error) {
    if (!(error instanceof MailError) || error.kind !== 'unavailable') throw error
    const text = 'not available now, try again later'
    return { kind: 'no', code: { name: 'UNAVAILABLE' }, text: dialect.namesCommand ? `${what} failed: ${text}` : text }
  }
  if (outcome.kind === 'out') {
    const { referral } = outcome
    if (referral !== undefined) return { kind: 'no', code: { name: 'REFERRAL', write: (w) => w.raw(` ${cut(referral)}`) }, text: 'Try referral URL' }
    return { kind: 'no', code: { name: 'AUTHENTICATIONFAILED' }, text: dialect.refusedLogin(what) }
  }
  for (const alert of outcome.alerts) session.out.raw('* OK [ALERT] ').raw(cut(alert)).endLine()
  return {
    kind: 'ok',
    code: capabilityCode(capabilityList(session, 'after')),
    text: `User ${outcome.user.name} authenticated`,
    after: { login: outcome.layer },
  }
}
