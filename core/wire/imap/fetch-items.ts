import { SyntaxFailure } from '../../api/errors.js'
import type { Section } from '../../api/mail/message.js'
import { LIMITS } from '../limits.js'
import type { OctetCursor } from './cursor.js'

/** `<0.100>` of a FETCH: from which octet, and at most how many. */
export interface PartialRange {
  readonly from: number
  readonly count: number
}

/** What the macros of RFC 3501 §6.4.5 stand for. */
export const FETCH_MACROS: Readonly<Record<string, readonly string[]>> = {
  ALL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE'],
  FAST: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'],
  FULL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY'],
}

const OPEN = 0x28
const CLOSE = 0x29

/**
 * The items of a FETCH: a macro, one item, or a list. `one` gets the name in upper case, the cursor behind it (at `[` of a section), and
 * reads what belongs to it.
 */
export function parseFetchItems<T>(c: OctetCursor, one: (name: string, c: OctetCursor) => T): readonly T[] {
  if (c.peek() === OPEN) {
    c.take(OPEN)
    const items: T[] = []
    do {
      if (c.peek() === CLOSE && items.length > 0) break
      if (items.length >= LIMITS.fetchItems) c.fail(`at most ${LIMITS.fetchItems} items`)
      items.push(one(c.nameUpTo('['), c))
    } while (c.peek() === 0x20 && (c.space(), true))
    c.expect(CLOSE)
    return items
  }
  const name = c.nameUpTo('[')
  const macro = Object.hasOwn(FETCH_MACROS, name) ? FETCH_MACROS[name] : undefined
  return macro === undefined ? [one(name, c)] : macro.map((item) => one(item, c))
}

/** What a failure inside the names of header fields expected begins with. */
export const FIELDS_EXPECTED = 'header fields'
/** What a failure expected that met another word. */
export const TEXT_EXPECTED = 'MIME, HEADER, HEADER.FIELDS or TEXT'

/** `[1.2.HEADER.FIELDS (From To)]`, brackets included (RFC 3501 §9 "section", RFC 3516 §4.3 with `numeric`: part numbers alone). */
export function parseSection(c: OctetCursor, form: { readonly numeric: boolean } = { numeric: false }): Section {
  c.expect(0x5b)
  const part: number[] = []
  let what: Section['what'] = 'all'
  if (c.peek() !== 0x5d) {
    for (;;) {
      const digit = c.peek() >= 48 && c.peek() <= 57
      if (!digit) {
        if (form.numeric) c.fail('a part number')
        what = sectionText(c, part.length > 0)
        break
      }
      if (part.length >= LIMITS.sectionDepth) c.fail(`at most ${LIMITS.sectionDepth} part numbers`)
      part.push(c.nzNumber())
      if (!c.take(0x2e)) break
    }
  }
  c.expect(0x5d)
  return { part, what, decoded: form.numeric }
}
function sectionText(c: OctetCursor, inPart: boolean): Section['what'] {
  const name = c.nameUpTo('')
  if (name === 'HEADER') return 'header'
  if (name === 'TEXT') return 'text'
  if (name === 'MIME' && inPart) return 'mime'
  if (name !== 'HEADER.FIELDS' && name !== 'HEADER.FIELDS.NOT') return c.fail(TEXT_EXPECTED)
  return { fields: fieldNames(c), not: name === 'HEADER.FIELDS.NOT' }
}
function fieldNames(c: OctetCursor): readonly string[] {
  try {
    c.space()
    let count = 0
    const fields = c.list(() => {
      if (++count > LIMITS.headerFields) c.fail(`at most ${LIMITS.headerFields} field names`)
      return fieldName(c)
    })
    return fields.length === 0 ? c.fail('a field name') : fields
  } catch (failure) {
    if (failure instanceof SyntaxFailure) throw new SyntaxFailure(failure.position, `${FIELDS_EXPECTED}: ${failure.expected}`)
    throw failure
  }
}
/** As written; whoever compares ignores case. */
function fieldName(c: OctetCursor): string {
  const octets = c.astring()
  for (const octet of octets) if (octet < 32 || octet === 127) c.fail('a field name without control characters')
  return Buffer.from(octets).toString('latin1')
}

/** `<from.count>` where it stands; the count is above 0. */
export function parsePartial(c: OctetCursor): PartialRange | undefined {
  if (!c.take(0x3c)) return undefined
  const from = c.number()
  c.expect(0x2e)
  const count = c.nzNumber()
  c.expect(0x3e)
  return { from, count }
}

/** `1.2.HEADER.FIELDS (From To)`, as an answer repeats it, without brackets; made once per command, in octets ready for the wire. */
export function sectionLabel(s: Section): Uint8Array {
  const path = s.part.join('.')
  const dot = path === '' || s.what === 'all' ? '' : '.'
  if (s.what === 'all') return Buffer.from(path, 'latin1')
  if (typeof s.what === 'string') return Buffer.from(`${path}${dot}${s.what.toUpperCase()}`, 'latin1')
  const fields = s.what.fields.map(fieldWire).join(' ')
  return Buffer.from(`${path}${dot}HEADER.FIELDS${s.what.not ? '.NOT' : ''} (${fields})`, 'latin1')
}
function fieldWire(name: string): string {
  if (/^[!#$&'+\-./0-9:;<=>?@A-Z[^_`a-z|}~]+$/.test(name)) return name
  // Only a quoted string or a literal can have brought such a name.
  return /^[ -~]*$/.test(name) ? `"${name.replaceAll(/["\\]/g, String.raw`\$&`)}"` : `{${name.length}}\r\n${name}`
}
