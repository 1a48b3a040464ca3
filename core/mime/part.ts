/** One `attribute=value` of Content-Type or Content-Disposition; octets as Latin-1, RFC 2231 forms left as written. */
export interface Parameter {
  /** Upper case, with RFC 2231 decorations (`NAME*0*`). */
  readonly name: string
  readonly value: string
}
/** What the MIME header of a part says, with defaults filled in; strings hold octets as Latin-1. */
export interface ContentFacts {
  /** Upper case. */
  readonly type: string
  /** Upper case. */
  readonly subtype: string
  readonly parameters: readonly Parameter[]
  readonly id: string | undefined
  readonly description: string | undefined
  /** Upper case; `7BIT` when nothing is said. */
  readonly encoding: string
  readonly md5: string | undefined
  readonly disposition: { readonly type: string; readonly parameters: readonly Parameter[] } | undefined
  readonly language: readonly string[] | undefined
  readonly location: string | undefined
}
/**
 * A node of the part tree. Offsets are octets from the beginning of the whole message, in CRLF form as the client sees it.
 * `header` includes the blank line. A multipart's children are its parts; a MESSAGE/RFC822's only child is the message within it, whose header
 * begins where the body of the MESSAGE/RFC822 begins. A blank line that a delimiter follows at once ends the header and belongs to the delimiter
 * as well: it counts in `headerSize`, but not in the body of an enclosing part.
 */
export interface MimePart {
  readonly kind: 'leaf' | 'multipart' | 'message'
  readonly headerAt: number
  readonly headerSize: number
  readonly bodyAt: number
  readonly bodySize: number
  /** Line ends within the body of a TEXT or MESSAGE/RFC822 part; 0 for the others, of which nobody is told. */
  readonly bodyLines: number
  readonly content: ContentFacts
  readonly children: readonly MimePart[]
  /** ENVELOPE in wire form, of each message within a MESSAGE/RFC822; that of the whole message is `writeEnvelope` of its header. */
  readonly envelope: Uint8Array | undefined
}

/**
 * Value of a parameter, which is named in upper case: as it stands, or put together and decoded where it is written as RFC 2231 has it
 * (`name*0="a"; name*1="b"`, `name*=utf-8''a%20b`). Octets as Latin-1; the character set of RFC 2231 is left out.
 */
export function parameterOf(list: readonly Parameter[], name: string): string | undefined {
  for (const p of list) if (p.name === name) return p.value
  const pieces = new Map<number, string>()
  for (const p of list) {
    if (!p.name.startsWith(`${name}*`)) continue
    const place = /^\*(?:(\d{1,3})(\*)?)?$/.exec(p.name.slice(name.length))
    if (place === null) continue
    const number = Number(place[1] ?? 0)
    const isEncoded = place[1] === undefined || place[2] !== undefined
    if (!pieces.has(number)) pieces.set(number, isEncoded ? percentDecoded(number === 0 ? p.value.replace(/^[^']*'[^']*'/, '') : p.value) : p.value)
  }
  let out = ''
  for (let i = 0; pieces.has(i); i++) out += pieces.get(i)!
  return pieces.has(0) ? out : undefined
}

function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
