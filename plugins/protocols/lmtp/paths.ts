/** The argument of MAIL or RCPT. */
export interface PathArgument {
  /** Mailbox without angle brackets; empty for the null path. */
  readonly path: string
  /** Upper-case names. */
  readonly parameters: ReadonlyMap<string, string>
}

/** No octets that could end a line of a header. */
const PRINTABLE = /^[ -~\u0080-\u{10ffff}]*$/u

/** `FROM:<path> PARAMETER=VALUE ...` (RFC 5321 §4.1.2), also with a blank behind the colon; undefined for what is none. A route in front of the mailbox is left out. */
export function pathArgument(word: 'FROM' | 'TO', text: string): PathArgument | undefined {
  const found = new RegExp(`^${word}: ?<((?:[^<>"\\\\]|"(?:[^"\\\\]|\\\\.)*"|\\\\.)*)>((?: [A-Za-z0-9][A-Za-z0-9-]*(?:=[^= ]+)?)*) *$`, 'i').exec(text)
  if (found === null || !PRINTABLE.test(text)) return undefined
  const [, inner = '', rest = ''] = found
  const mailbox = inner.replace(/^@[^:]*:/, '')
  const parameters = rest.trim().split(' ').filter((part) => part !== '').map((part): [string, string] => {
    const at = part.indexOf('=')
    return at < 0 ? [part.toUpperCase(), ''] : [part.slice(0, at).toUpperCase(), part.slice(at + 1)]
  })
  return { path: unquoted(mailbox), parameters: new Map(parameters) }
}
/** `"a b"@example.org` names the mailbox `a b`. */
function unquoted(mailbox: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"(@.*)?$/.exec(mailbox)
  return quoted === null ? mailbox : `${(quoted[1] ?? '').replaceAll(/\\(.)/g, '$1')}${quoted[2] ?? ''}`
}
