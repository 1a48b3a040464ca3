/**
 * Directives of a `digest-response` (RFC 2831 §7): `name=token` or `name="quoted"`, separated by commas. Names in lower case; undefined
 * when it is no such list, or names something twice.
 */
export function parseDirectives(text: string): ReadonlyMap<string, string> | undefined {
  const out = new Map<string, string>()
  const directive = /[ \t,]*([a-z0-9-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"(),/:;<=>?@[\\\]{}]+))[ \t]*(?=,|$)/iy
  let at = 0
  while (at < text.length) {
    directive.lastIndex = at
    const found = directive.exec(text)
    if (found === null) return /^[ \t,]*$/.test(text.slice(at)) ? out : undefined
    const [, name = '', quoted, token] = found
    const key = name.toLowerCase()
    if (out.has(key)) return undefined
    out.set(key, quoted?.replaceAll(/\\(.)/gs, '$1') ?? token ?? '')
    at = directive.lastIndex
  }
  return out
}

export function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
