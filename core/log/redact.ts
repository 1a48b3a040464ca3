/** Text longer than this is cut: a line of a log must not grow with what a client sends. */
const LONGEST_TEXT = 2_000
const DEEPEST = 4
const MOST_MEMBERS = 50

/** A value as a log may hold it. */
export type LogValue = string | number | boolean | null | readonly LogValue[] | { readonly [key: string]: LogValue }

// Control characters of ASCII and of Latin-1, line separators, and marks that turn the direction of text around.
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001F\u007F-\u009F\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/g

/** Text without control characters: a client that sends them could forge lines or drive the terminal of whoever reads the log. */
export function neutralise(text: string, longest = LONGEST_TEXT): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}...` : text
  return cut.replace(UNSAFE, (c) => {
    const code = c.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** Facts as plain values: secrets and octets hidden, errors as message and code, depth and width bounded. */
export function redact(value: unknown, depth = 0): LogValue | undefined {
  switch (typeof value) {
    case 'string':
      return neutralise(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
      return value
    case 'bigint':
      return value.toString()
    case 'undefined':
      return undefined
    case 'symbol':
      return neutralise(String(value))
    case 'function':
      return '[function]'
    case 'object':
      return value === null ? null : redactObject(value, depth)
  }
}

function redactObject(value: object, depth: number): LogValue {
  // Whatever carries the tag is a secret, also one from another copy of this package.
  if (Reflect.get(value, Symbol.toStringTag) === 'Secret') return '[secret]'
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} octets]`
  if (value instanceof Error) return redactError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (depth >= DEEPEST) return '[...]'
  if (Array.isArray(value)) return value.slice(0, MOST_MEMBERS).map((v: unknown) => redact(v, depth + 1) ?? null)
  if (value instanceof Map) return redactEntries([...value].map(([k, v]: [unknown, unknown]) => [String(k), v]), depth)
  if (value instanceof Set) return redactObject([...value], depth)
  return redactEntries(Object.entries(value), depth)
}

function redactEntries(entries: readonly (readonly [string, unknown])[], depth: number): LogValue {
  const out: Record<string, LogValue> = {}
  for (const [key, value] of entries.slice(0, MOST_MEMBERS)) {
    const plain = redact(value, depth + 1)
    if (plain !== undefined) out[neutralise(key, 100)] = plain
  }
  return out
}

function redactError(error: Error, depth: number): LogValue {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const kind = 'kind' in error && typeof error.kind === 'string' ? error.kind : undefined
  const cause = error.cause === undefined || depth >= DEEPEST ? undefined : redact(error.cause, depth + 1)
  return {
    name: neutralise(error.name),
    message: neutralise(error.message),
    ...(code === undefined ? {} : { code }),
    ...(kind === undefined ? {} : { kind }),
    ...(cause === undefined ? {} : { cause }),
    ...(depth === 0 && error.stack !== undefined ? { stack: error.stack.split('\n').slice(1, 12).map((l) => neutralise(l.trim())) } : {}),
  }
}

