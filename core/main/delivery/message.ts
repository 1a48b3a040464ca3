const LF = 10
const CR = 13
const FROM = [...Buffer.from('From ')]

/** Nothing came on standard input, or nothing but a From line. */
export class EmptyMessage extends Error {
  override readonly name = 'EmptyMessage'
}

/**
 * A message as programs hand it over, as it is stored: without the `From ` line of a mailbox file, every line ended by CRLF, `trace` in front.
 * Chunks may be cut anywhere.
 * @throws EmptyMessage
 */
export async function* arriving(input: AsyncIterable<Uint8Array>, trace: string): AsyncGenerator<Uint8Array> {
  let begun = false
  let lastWasCr = false
  for await (const chunk of withoutFromLine(input)) {
    if (chunk.length === 0) continue
    if (!begun) yield Buffer.from(trace)
    begun = true
    yield withCrlf(chunk, lastWasCr)
    lastWasCr = chunk.at(-1) === CR
  }
  if (!begun) throw new EmptyMessage('there is no message on standard input')
}

async function* withoutFromLine(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array = new Uint8Array(0)
  let place: 'start' | 'from-line' | 'message' = 'start'
  for await (const chunk of input) {
    let rest = chunk
    if (place === 'start') {
      held = Buffer.concat([held, chunk])
      if (!FROM.every((octet, i) => i >= held.length || held[i] === octet)) place = 'message'
      else if (held.length >= FROM.length) place = 'from-line'
      else continue
      rest = held
    }
    if (place === 'from-line') {
      const end = rest.indexOf(LF)
      if (end < 0) continue
      place = 'message'
      rest = rest.subarray(end + 1)
    }
    yield rest
  }
  if (place === 'start') yield held
}

function withCrlf(chunk: Uint8Array, afterCr: boolean): Uint8Array {
  let bare = 0
  const isBare = (at: number): boolean => (at === 0 ? !afterCr : chunk[at - 1] !== CR)
  for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) if (isBare(at)) bare++
  if (bare === 0) return chunk
  const out = Buffer.allocUnsafe(chunk.length + bare)
  let from = 0
  let to = 0
  for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
    if (!isBare(at)) continue
    out.set(chunk.subarray(from, at), to)
    to += at - from
    out[to++] = CR
    from = at
  }
  out.set(chunk.subarray(from), to)
  return out
}
