import type { LoginNameSettings } from '../../api/host.js'

/**
 * The account that a login name means on this host: an alias first, as it was typed and in lower case; then capitals, then the domain.
 * What an alias leads to is not changed further.
 */
export function accountName(typed: string, s: LoginNameSettings): string {
  const lower = typed.toLowerCase()
  const alias = own(s.aliases, typed) ?? own(s.aliases, lower)
  if (alias !== undefined) return alias
  const name = s.lowerCase ? lower : typed
  const at = name.lastIndexOf('@')
  const domain = at < 0 ? undefined : name.slice(at + 1).toLowerCase()
  if (domain === undefined) return s.addDomain === undefined || name === '' ? name : `${name}@${s.addDomain}`
  return at > 0 && (s.stripDomains.includes('*') || s.stripDomains.includes(domain)) ? name.slice(0, at) : name
}

function own(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}
