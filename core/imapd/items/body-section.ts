import { SyntaxFailure, sealFetchItem } from '../../api/index.js'
import type { AnyFact, FetchItem, ImapCursor, ImapWriter, MailSession, MessageBytes, SealedFetchItem, Section, StoredMessage, Wants } from '../../api/index.js'
import { PART_MAP } from '../../mime/part-map.js'
import { needsParts } from '../../mime/section.js'
import { FIELDS_EXPECTED, TEXT_EXPECTED, parsePartial, parseSection, sectionLabel } from '../../wire/imap/fetch-items.js'
import type { PartialRange } from '../../wire/imap/fetch-items.js'
import { wire } from '../arguments.js'
import { BadArgument } from '../failure.js'
import { partOf, sectionOctets } from './section-octets.js'
import { bodyWithoutSection } from './structure.js'

const SPACE = 0x20
const CLOSE = 0x29

/** A section of a message, and how its answer begins. */
interface SectionArgs {
  readonly section: Section
  readonly range: PartialRange | undefined
  readonly peek: boolean
  readonly label: Uint8Array
}

function readArgs(input: ImapCursor, peek: boolean): SectionArgs {
  const c = wire(input)
  const section = inWords(() => parseSection(c), sectionMistake)
  const range = inWords(() => parsePartial(c), () => 'Syntax error in partial text specifier')
  if (!c.atEnd() && c.peek() !== SPACE && c.peek() !== CLOSE) throw new BadArgument('Syntax error after section specifier')
  const origin = range === undefined ? '' : `<${range.from}>`
  return { section, range, peek, label: Buffer.concat([Buffer.from('BODY['), sectionLabel(section), Buffer.from(`]${origin} `)]) }
}
function sectionMistake({ expected }: SyntaxFailure): string {
  if (expected.startsWith(FIELDS_EXPECTED)) return 'Syntax error in header fields'
  if (expected === TEXT_EXPECTED) return 'Unknown section text specifier'
  return expected === '"]"' ? 'Section specifier not terminated' : 'Syntax error in section specifier'
}
function inWords<T>(parse: () => T, text: (failure: SyntaxFailure) => string): T {
  try {
    return parse()
  } catch (failure) {
    if (failure instanceof SyntaxFailure) throw new BadArgument(text(failure), failure.position)
    throw failure
  }
}

/** What must be read for a section. */
export function wantsOf(section: Section): Wants {
  const facts: readonly AnyFact[] = needsParts(section) ? [PART_MAP] : []
  const headerOnly = !needsParts(section) && section.what !== 'all' && section.what !== 'text'
  return { bytes: headerOnly ? 'header' : 'whole', sections: [section], facts }
}

/** Writes label and octets; a part that does not exist is NIL. */
function writeOctets(label: Uint8Array, octets: MessageBytes | undefined, range: PartialRange | undefined, out: ImapWriter, signal: AbortSignal): void | Promise<void> {
  out.bytes(label)
  if (octets === undefined) {
    out.raw('NIL')
    return undefined
  }
  return out.literal(partOf(octets, range), signal, 'text')
}
/** Writes one section of a message under a label. */
export function writeSection(
  m: StoredMessage,
  section: Section,
  how: { readonly label: Uint8Array; readonly range: PartialRange | undefined },
  out: ImapWriter,
  session: MailSession,
): void | Promise<void> {
  const octets = sectionOctets(m, section, session.signal)
  if (octets instanceof Promise) return octets.then((read) => writeOctets(how.label, read, how.range, out, session.signal))
  return writeOctets(how.label, octets, how.range, out, session.signal)
}

const peekItem: FetchItem<SectionArgs> = {
  name: 'BODY.PEEK',
  parse: (input) => readArgs(input, true),
  needs: (args) => wantsOf(args.section),
  write: (args, m, _row, out, session) => writeSection(m, args.section, args, out, session),
}
/** BODY is the structure, BODY[...] a section: one name, told apart by the bracket. */
const bodyItem: FetchItem<SectionArgs | undefined> = {
  name: 'BODY',
  parse: (input) => (input.peek() === 0x5b ? readArgs(input, false) : undefined),
  needs: (args) => (args === undefined ? bodyWithoutSection.needs(undefined) : wantsOf(args.section)),
  write(args, m, row, out, session) {
    if (args === undefined) return bodyWithoutSection.write?.(undefined, m, row, out, session)
    return writeSection(m, args.section, args, out, session)
  },
  setsSeen: (args) => args !== undefined,
}
export const sectionItems: readonly SealedFetchItem[] = [sealFetchItem(peekItem), sealFetchItem(bodyItem)]
