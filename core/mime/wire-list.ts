const OPEN = 0x28
const CLOSE = 0x29
const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACE = 0x7b
const SP = 0x20

/** End of the value that begins at `at` in data that this server wrote: a list, a quoted string, a literal, an atom or a number. */
export function valueEnd(wire: Uint8Array, at: number): number {
  let i = at
  let depth = 0
  for (;;) {
    const c = wire[i]
    if (c === undefined) return wire.length
    if (c === OPEN) {
      depth++
      i++
    } else if (c === CLOSE) {
      depth--
      i++
    } else if (c === QUOTE) i = quotedEnd(wire, i)
    else if (c === BRACE) i = literalEnd(wire, i)
    else if (c === SP) i++
    else while (i < wire.length && wire[i] !== SP && wire[i] !== CLOSE && wire[i] !== OPEN) i++
    if (depth <= 0) return i
  }
}

/** End of the quoted string that begins at `at`, behind its closing quote. */
function quotedEnd(wire: Uint8Array, at: number): number {
  let i = at + 1
  while (i < wire.length && wire[i] !== QUOTE) i += wire[i] === BACKSLASH ? 2 : 1
  return i + 1
}

function literalEnd(wire: Uint8Array, at: number): number {
  let size = 0
  let i = at + 1
  while (i < wire.length && wire[i] !== 0x7d) size = size * 10 + wire[i++]! - 0x30
  return i + 3 + size
}

/**
 * Content of the `nstring` that begins at `at`: where it lies, or undefined for NIL. `escaped` says that backslashes stand before quotes and
 * backslashes.
 */
export function stringAt(wire: Uint8Array, at: number, end: number): { readonly from: number; readonly to: number; readonly escaped: boolean } | undefined {
  if (wire[at] === QUOTE) {
    let escaped = false
    for (let i = at + 1; i < end - 1; i++) if (wire[i] === BACKSLASH) escaped = true
    return { from: at + 1, to: end - 1, escaped }
  }
  if (wire[at] !== BRACE) return undefined
  let i = at
  while (i < end && wire[i] !== 0x7d) i++
  return { from: i + 3, to: end, escaped: false }
}

/** The octets of an `nstring`, unescaped; undefined for NIL. */
export function readString(wire: Uint8Array, at: number, end: number): Uint8Array | undefined {
  const found = stringAt(wire, at, end)
  if (found === undefined) return undefined
  const raw = wire.subarray(found.from, found.to)
  if (!found.escaped) return raw
  const out = new Uint8Array(raw.length)
  let filled = 0
  for (let i = 0; i < raw.length; i++) {
    if (raw[i] === BACKSLASH && i + 1 < raw.length) i++
    out[filled++] = raw[i]!
  }
  return out.subarray(0, filled)
}
