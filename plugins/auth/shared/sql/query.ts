/** A row by column name, in lower case as databases fold them. */
export type Row = Readonly<Record<string, unknown>>
/** A database as backends and directories need it. Failures are thrown as they come. */
export interface SqlEngine extends AsyncDisposable {
  query(text: string, values: readonly string[], signal: AbortSignal): Promise<readonly Row[]>
}

/** The databases there are, with the form of the marks that stand for values. */
const MARKS = { sqlite: 'question', postgres: 'numbered', mysql: 'question' } as const
export type Engine = keyof typeof MARKS

/** A query with its values apart. */
export interface Prepared {
  readonly text: string
  /** Names of the values, in the order of the marks. */
  readonly names: readonly string[]
}

/**
 * `... WHERE name = {user}` as a query with marks (`$1` or `?`). Names in braces never become part of the text, so nothing that a client
 * says can become SQL.
 */
export function prepare(query: string, engine: Engine): Prepared {
  const names: string[] = []
  const text = query.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
    names.push(name)
    return MARKS[engine] === 'numbered' ? `$${names.length}` : '?'
  })
  return { text, names }
}

/** Names in braces that a query may hold; `password` only where a new one is written. */
export const QUERY_WORDS = ['user', 'local', 'domain', 'service', 'address', 'localAddress'] as const

/** What stands for the words of a query. */
export function queryValues(user: string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = user.lastIndexOf('@')
  return { user, local: at < 0 ? user : user.slice(0, at), domain: at < 0 ? '' : user.slice(at + 1), service: '', address: '', localAddress: '', ...more }
}

/** A column as text; undefined when it is missing or NULL. */
export function textOf(row: Row, column: string): string | undefined {
  const value = row[column]
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : undefined
}
