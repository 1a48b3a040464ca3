import type { Verdict } from 'mailwright/api'
import type { ShadowEntry } from '../../shared/system-accounts.js'

const DAY_MS = 86_400_000
const ACCOUNT_WARN_DAYS = 28

/** Days since 1970 by the clock on the wall, as login programs count them. */
export function localDay(nowMs: number): number {
  return Math.floor((nowMs - new Date(nowMs).getTimezoneOffset() * 60_000) / DAY_MS)
}

/** What the days of a shadow entry say about a login with the right password (shadow(5)). */
export function expiryOf(s: ShadowEntry, today: number): { readonly refusal?: Verdict; readonly alerts: readonly string[] } {
  if (s.lastChange === 0) return { refusal: { kind: 'must-change' }, alerts: [] }
  const passwordEnds = s.lastChange > 0 && s.maxDays > 0 ? s.lastChange + s.maxDays : undefined
  const accountEnds = s.expires > 0 ? s.expires : undefined
  if ((passwordEnds !== undefined && passwordEnds < today) || (accountEnds !== undefined && accountEnds < today)) return { refusal: { kind: 'expired' }, alerts: [] }
  const alerts: string[] = []
  if (passwordEnds !== undefined && passwordEnds - today <= s.warnDays) alerts.push(when('Password', passwordEnds - today))
  if (accountEnds !== undefined && accountEnds - today < ACCOUNT_WARN_DAYS) alerts.push(when('Account', accountEnds - today))
  return { alerts }
}

function when(what: string, days: number): string {
  return days === 0 ? `${what} expires today!` : `${what} expires in ${days} day${days === 1 ? '' : 's'}`
}
