const MAX_OCTETS = 254

/**
 * Whether a name can stand in a path as one component and mean nothing else there.
 *
 * Letters and digits of any script and `. _ + @ = - '`; it starts with a letter or digit and holds no `..`.
 */
export function isSafeName(name: string): boolean {
  return (
    Buffer.byteLength(name) <= MAX_OCTETS &&
    !name.includes('..') &&
    !name.endsWith('.') &&
    // Composed form only: two spellings of one name would be two homes, or one, as the file system pleases.
    name.normalize('NFC') === name &&
    /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._+@='-]*$/u.test(name)
  )
}

/** The path of a template; `{user}`, `{local}` (before the last `@`) and `{domain}` (after it, or empty). The name is a safe one. */
export function homeOf(template: string, user: string): string | undefined {
  const at = user.lastIndexOf('@')
  const parts: Readonly<Record<string, string>> = { user, local: at < 0 ? user : user.slice(0, at), domain: at < 0 ? '' : user.slice(at + 1) }
  let usable = true
  const path = template.replace(/\{(\w+)\}/g, (_whole, word: string) => {
    const part = parts[word] ?? ''
    // An empty component would be the directory above, which is everybody's.
    if (part === '' || part.startsWith('.')) usable = false
    return part
  })
  return usable ? path : undefined
}

/** Words in braces that a template may hold. */
export const TEMPLATE_WORDS: readonly string[] = ['user', 'local', 'domain', 'data']
