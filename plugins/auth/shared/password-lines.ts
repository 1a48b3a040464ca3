/** A user's line: `name:forms`, and whatever fields follow. */
export interface Account {
  readonly user: string
  /** The stored forms of the password, without the `!` that locks them; several are written with a space in between. */
  readonly forms: readonly string[]
  readonly enabled: boolean
}

/** A password file as lines, so that comments, order and further fields survive an edit. */
export class PasswordLines {
  readonly #lines: readonly string[]
  readonly accounts: ReadonlyMap<string, Account>
  /** Numbers, from 1, of lines that say nothing: no colon, no name, or a name for the second time (the first counts). */
  readonly strange: readonly number[]

  constructor(text: string) {
    const lines = text.split('\n')
    if (lines.at(-1) === '') lines.pop()
    this.#lines = lines
    const accounts = new Map<string, Account>()
    const strange: number[] = []
    for (const [i, line] of lines.entries()) {
      if (isRemark(line)) continue
      const account = parseLine(line)
      if (account === undefined || accounts.has(account.user)) strange.push(i + 1)
      else accounts.set(account.user, account)
    }
    this.accounts = accounts
    this.strange = strange
  }

  /** With these forms of the password for the user, who is added at the end when there is no line yet. The account is enabled. */
  with(user: string, ...forms: readonly string[]): PasswordLines {
    const hash = forms.join(' ')
    const place = this.#lines.findIndex((line) => nameOf(line) === user)
    if (place < 0) return new PasswordLines(joined([...this.#lines, `${user}:${hash}`]))
    const fields = (this.#lines[place] ?? '').replace(/\r$/, '').split(':')
    return new PasswordLines(joined(this.#lines.with(place, [user, hash, ...fields.slice(2)].join(':'))))
  }

  /** Without any line of the user. */
  without(user: string): PasswordLines {
    return new PasswordLines(joined(this.#lines.filter((line) => nameOf(line) !== user)))
  }

  toString(): string {
    return joined(this.#lines)
  }
}

/** What a name in this file cannot be; undefined when it is fine. */
export function nameProblem(user: string): string | undefined {
  if (user === '') return 'a user name is empty'
  if (user.startsWith('#')) return `"${user}" starts like a remark`
  if (user.trim() !== user) return `"${user}" begins or ends with a space`
  if (Buffer.byteLength(user) > 254) return 'a user name has more than 254 octets'
  for (let i = 0; i < user.length; i++) {
    const unit = user.charCodeAt(i)
    if (unit < 0x20 || unit === 0x7f || unit === 0x3a) return 'a user name holds a colon or a control character'
  }
  return undefined
}

function isRemark(line: string): boolean {
  return line.trim() === '' || line.startsWith('#')
}
function nameOf(line: string): string | undefined {
  return isRemark(line) ? undefined : parseLine(line)?.user
}
function parseLine(line: string): Account | undefined {
  const [user = '', field] = line.replace(/\r$/, '').split(':')
  if (field === undefined || nameProblem(user) !== undefined) return undefined
  const locked = field.startsWith('!') || field.startsWith('*')
  const hash = locked ? field.replace(/^[!*]+/, '') : field
  return { user, forms: formsIn(hash), enabled: !locked && hash !== '' }
}
/** `{SCHEME}...` and `$id$...` side by side. A password that stands there as it is may hold anything, so it stands alone. */
export function formsIn(field: string): readonly string[] {
  return /^\{(?:PLAIN|CLEARTEXT|CLEAR)\}/.test(field) ? [field] : field.split(/ (?=[{$])/)
}
function joined(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}
