import type { MailUser } from 'mailwright/api'

/** What may stand in braces in an INBOX path. */
export const TEMPLATE_WORDS: readonly string[] = ['home', 'spool', 'user', 'local', 'domain']

/** Unknown words in braces; a template with some would make a directory of that name. */
export function unknownWords(template: string): readonly string[] {
  return [...template.matchAll(/\{([^{}]*)\}/g)].map(([, word = '']) => word).filter((word) => !TEMPLATE_WORDS.includes(word))
}
/** The user's path, or undefined when the template asks for what this user has not. A user name is never more than one component. */
export function filledIn(template: string, user: MailUser, spool: string): string | undefined {
  const at = user.name.lastIndexOf('@')
  const values: Readonly<Record<string, string | undefined>> = {
    home: user.home === undefined ? undefined : withoutEnd(user.home),
    spool: withoutEnd(spool),
    user: component(user.name),
    local: component(at < 0 ? user.name : user.name.slice(0, at)),
    domain: at < 0 ? undefined : component(user.name.slice(at + 1)),
  }
  let missing = false
  const path = template.replaceAll(/\{([^{}]*)\}/g, (_whole, word: string) => {
    const value = values[word]
    missing ||= value === undefined
    return value ?? ''
  })
  return missing || !path.startsWith('/') ? undefined : path
}
/** Without the slash at its end, so that a root directory is empty. */
export function withoutEnd(path: string): string {
  return path.replace(/\/+$/, '')
}
function component(name: string): string | undefined {
  return name === '' || name === '.' || name === '..' || /[/\0]/.test(name) ? undefined : name
}
