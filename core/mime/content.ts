import { eachField, nameIs } from './header.js'
import { fieldValue, upperAscii } from './octets.js'
import { FieldReader } from './parameters.js'
import type { ContentFacts, Parameter } from './part.js'

/** What a type means when no subtype is given. */
const DEFAULT_SUBTYPES: Readonly<Record<string, string>> = {
  TEXT: 'PLAIN',
  MULTIPART: 'MIXED',
  MESSAGE: 'RFC822',
  APPLICATION: 'OCTET-STREAM',
  AUDIO: 'BASIC',
}
const FIELDS = [
  'type', 'transfer-encoding', 'id', 'description', 'disposition', 'language', 'location', 'md5',
] as const
type Field = (typeof FIELDS)[number]

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
export function readContent(header: Uint8Array, from: number, to: number, place: PartPlace): ContentFacts {
  const texts: Partial<Record<Field, string>> = {}
  let isMime = place !== 'message'
  eachField(header, from, to, (at, nameEnd, valueAt, end) => {
    const length = nameEnd - at
    if (length < 10) return
    if (length === 12 && nameIs(header, at, nameEnd, 'mime-version')) isMime = true
    if (header[at + 7] !== 0x2d || !nameIs(header, at, at + 8, 'content-')) return
    for (const field of FIELDS) {
      if (texts[field] === undefined && nameIs(header, at + 8, nameEnd, field)) {
        texts[field] = fieldValue(header, valueAt, end)
        return
      }
    }
  })
  const mime = (field: Field): string | undefined => (isMime ? texts[field] : undefined)
  const typeText = isMime || texts.type?.includes('/') === true ? texts.type : undefined
  const media = typeText === undefined ? undefined : readMedia(typeText)
  const fallback = place === 'digest-part' ? { type: 'MESSAGE', subtype: 'RFC822' } : { type: 'TEXT', subtype: 'PLAIN' }
  return {
    type: media?.type ?? fallback.type,
    subtype: media?.subtype ?? fallback.subtype,
    parameters: media?.parameters ?? [],
    id: mime('id'),
    description: mime('description'),
    encoding: readToken(texts['transfer-encoding']) ?? '7BIT',
    md5: mime('md5'),
    disposition: readDisposition(mime('disposition')),
    language: readLanguage(mime('language')),
    location: mime('location')?.replace(/[ \t]+/g, ''),
  }
}

function readMedia(text: string): { type: string; subtype: string; parameters: readonly Parameter[] } | undefined {
  const reader = new FieldReader(text)
  reader.skip()
  const type = upperAscii(reader.word('/;'))
  if (type === '') return undefined
  reader.skip()
  let subtype = ''
  if (reader.take('/')) {
    reader.skip()
    subtype = upperAscii(reader.word(';'))
  }
  return { type, subtype: subtype === '' ? (DEFAULT_SUBTYPES[type] ?? 'UNKNOWN') : subtype, parameters: reader.parameters() }
}

function readToken(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const reader = new FieldReader(text)
  reader.skip()
  const token = upperAscii(reader.isQuote ? reader.quoted() : reader.word(';,'))
  return token === '' ? undefined : token
}

function readDisposition(text: string | undefined): ContentFacts['disposition'] {
  if (text === undefined) return undefined
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
