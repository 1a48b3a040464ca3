import { fromLatin1, latin1, wireNstring, wireString } from './octets.js'
import { writeEnvelope } from './envelope.js'
import type { ContentFacts, MimePart, Parameter } from './part.js'

/** BODYSTRUCTURE, with its extension data, as it goes on the wire (RFC 3501 §7.4.2). The tree must have been scanned with envelopes. */
export function writeBodystructure(root: MimePart): Uint8Array {
  return fromLatin1(bodyText(root, true))
}

/** BODY: the same without extension data. */
export function writeBody(root: MimePart): Uint8Array {
  return fromLatin1(bodyText(root, false))
}

let emptyEnvelope: Uint8Array | undefined

function bodyText(part: MimePart, extended: boolean): string {
  const { content } = part
  if (part.kind === 'multipart') {
    let out = '('
    for (const child of part.children) out += bodyText(child, extended)
    out += ` ${wireString(content.subtype)}`
    if (extended) out += ` ${parameters(content.parameters)}${placing(content)}`
    return `${out})`
  }
  let out = `(${wireString(content.type)} ${wireString(content.subtype)} ${parameters(content.parameters)} ${wireNstring(content.id)} `
  out += `${wireNstring(content.description)} ${wireString(content.encoding)} ${part.bodySize}`
  const inner = part.kind === 'message' ? part.children[0] : undefined
  if (inner !== undefined) {
    emptyEnvelope ??= writeEnvelope(new Uint8Array(0))
    out += ` ${latin1(inner.envelope ?? emptyEnvelope)} ${bodyText(inner, extended)} ${part.bodyLines}`
  } else if (content.type === 'TEXT') out += ` ${part.bodyLines}`
  if (extended) out += ` ${wireNstring(content.md5)}${placing(content)}`
  return `${out})`
}

/** Disposition, language, location: the end of both kinds of extension data. */
function placing(content: ContentFacts): string {
  const { disposition, language, location } = content
  const where = disposition === undefined ? 'NIL' : `(${wireString(disposition.type)} ${parameters(disposition.parameters)})`
  const tags = language === undefined ? 'NIL' : language.length === 1 ? wireString(language[0]!) : `(${language.map(wireString).join(' ')})`
  return ` ${where} ${tags} ${wireNstring(location)}`
}

function parameters(list: readonly Parameter[]): string {
  if (list.length === 0) return 'NIL'
  return `(${list.map((p) => `${wireString(p.name)} ${wireString(p.value)}`).join(' ')})`
}
