import { eachFieldOf, fieldIs } from './header.js'
import { Memo } from './memo.js'
import { fieldValue, upperAscii } from './octets.js'
import { FieldReader, plainParameters } from './parameters.js'
import type { ContentFacts, Parameter } from './part.js'

/** What a type means when no subtype is given. */
const DEFAULT_SUBTYPES: Readonly<Record<string, string>> = {
  TEXT: 'PLAIN',
  MULTIPART: 'MIXED',
  MESSAGE: 'RFC822',
  APPLICATION: 'OCTET-STREAM',
  AUDIO: 'BASIC',
}
/** What stands behind `Content-`, in the order in which values are kept. */
const FIELDS = ['type', 'transfer-encoding', 'id', 'description', 'disposition', 'language', 'location', 'md5'] as const
const PLACES: ReadonlyMap<string, number> = new Map(FIELDS.map((field, place) => [`content-${field}`, place]))

const NOTHING: readonly (string | undefined)[] = FIELDS.map(() => undefined)

/** Where the part stands, which decides what its header may leave out. */
export type PartPlace = 'message' | 'part' | 'digest-part'

/** Facts of a part without a header. */
export function plainContent(encoding = '7BIT'): ContentFacts {
  return {
    type: 'TEXT', subtype: 'PLAIN', parameters: [], encoding,
    id: undefined, description: undefined, md5: undefined, disposition: undefined, language: undefined, location: undefined,
  }
}

/**
 * Reads the Content-* fields of a header; the first of each name counts. In a message without MIME-Version only the transfer encoding, and a
 * Content-Type with a slash, are honoured: mail from before MIME used these names for other things.
 */
export function readContent(header: string, place: PartPlace): ContentFacts {
  const texts = NOTHING.slice()
  let isMime = place !== 'message'
  eachFieldOf(header, (at, nameEnd, valueAt, end) => {
    if (nameEnd - at < 10) return
    if (fieldIs(header, at, nameEnd, 'mime-version')) isMime = true
    if (header.charCodeAt(at + 7) !== 0x2d) return
    const own = PLACES.get(header.slice(at, nameEnd).toLowerCase())
    if (own !== undefined) texts[own] ??= fieldValue(header, valueAt, end)
  })
  const [type, encoding] = texts
  const [, , id, description, disposition, language, location, md5] = isMime ? texts : []
  const media = type !== undefined && (isMime || type.includes('/')) ? medias.of(type) : undefined
  const known = media ?? (place === 'digest-part' ? DIGESTED : PLAIN)
  return {
    type: known.type,
    subtype: known.subtype,
    parameters: known.parameters,
    id,
    description,
    encoding: encoding === undefined ? '7BIT' : encodings.of(encoding),
    md5,
    disposition: readDisposition(disposition),
    language: readLanguage(language),
    location: location?.replace(/[ \t]+/g, ''),
  }
}

interface Media {
  readonly type: string
  readonly subtype: string
  readonly parameters: readonly Parameter[]
}
const PLAIN: Media = { type: 'TEXT', subtype: 'PLAIN', parameters: [] }
const DIGESTED: Media = { type: 'MESSAGE', subtype: 'RFC822', parameters: [] }

/** Longer ones (characters) have the name of a file or a boundary, which are of one message. */
const COMMON = 40
/** Null: nothing is said. */
const medias = new Memo<Media | null>(readMedia, COMMON)
const encodings = new Memo((text) => readToken(text) ?? '7BIT', COMMON)

/** Type and subtype, or a disposition, as nearly all programs write them; behind it parameters or the end. */
const PLAIN_MEDIA = /^([\w.+-]+)\/([\w.+-]+)(?=;|$)/
const PLAIN_TYPE = /^[\w.+-]+(?=;|$)/

function readMedia(text: string): Media | null {
  const plain = PLAIN_MEDIA.exec(text)
  const parameters = plain === null ? undefined : plainParameters(text, plain[0].length)
  if (plain !== null && parameters !== undefined) return { type: plain[1]!.toUpperCase(), subtype: plain[2]!.toUpperCase(), parameters }
  const reader = new FieldReader(text)
  reader.skip()
  const type = upperAscii(reader.word('/;'))
  if (type === '') return null
  reader.skip()
  let subtype = ''
  if (reader.take('/')) {
    reader.skip()
    subtype = upperAscii(reader.word(';'))
  }
  return { type, subtype: subtype === '' ? (DEFAULT_SUBTYPES[type] ?? 'UNKNOWN') : subtype, parameters: reader.parameters() }
}

function readToken(text: string): string | undefined {
  const reader = new FieldReader(text)
  reader.skip()
  const token = upperAscii(reader.isQuote ? reader.quoted() : reader.word(';,'))
  return token === '' ? undefined : token
}

function readDisposition(text: string | undefined): ContentFacts['disposition'] {
  if (text === undefined) return undefined
  const plain = PLAIN_TYPE.exec(text)
  const parameters = plain === null ? undefined : plainParameters(text, plain[0].length)
  if (plain !== null && parameters !== undefined) return { type: plain[0].toUpperCase(), parameters }
  const reader = new FieldReader(text)
  reader.skip()
  const type = upperAscii(reader.isQuote ? reader.quoted() : reader.word(';'))
  return type === '' ? undefined : { type, parameters: reader.parameters() }
}

function readLanguage(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined
  const reader = new FieldReader(text)
  const tags: string[] = []
  while (!reader.atEnd) {
    reader.skip()
    const tag = reader.word(',')
    if (tag !== '') tags.push(upperAscii(tag))
    reader.skip()
    if (!reader.take(',') && tag === '') break
  }
  return tags.length === 0 ? undefined : tags
}
