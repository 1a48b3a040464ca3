/** A value in a search filter (RFC 4515): nothing of it is syntax. */
export function escapeFilter(value: string): string {
  // oxlint-disable-next-line no-control-regex -- NUL is one of the five
  return value.replaceAll(/[\\*()\u0000]/g, (c) => `\\${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
/** A value in a distinguished name (RFC 4514). */
export function escapeDn(value: string): string {
  // oxlint-disable-next-line no-control-regex -- NUL has to be written in hexadecimal
  return value.replaceAll(/["+,;<>\\=]/g, '\\$&').replaceAll(/\u0000/g, '\\00').replace(/^[ #]/, '\\$&').replace(/ $/, '\\ ')
}
/** `{user}`, `{local}` and `{domain}` of a template, each escaped. */
export function fillTemplate(template: string, user: string, escape: (value: string) => string): string {
  const at = user.lastIndexOf('@')
  const words: Readonly<Record<string, string>> = { user, local: at < 0 ? user : user.slice(0, at), domain: at < 0 ? '' : user.slice(at + 1) }
  return template.replaceAll(/\{(user|local|domain)\}/g, (_whole, word: string) => escape(words[word] ?? ''))
}
