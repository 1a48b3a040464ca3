/*
 * `.mxindex`: one record behind the other, nothing in between but a line's end behind a keyword. Numbers are hexadecimal.
 *
 *   V hex8   L hex8   *( K keyword LF )   *( M hex8 ; hex8 . hex4 )
 *   validity last UID                     UID  keywords flags
 */

export const OLD = 0x10
export const SYSTEM_BITS = 0x2f
/** A message's record. */
export const RECORD_OCTETS = 23

export interface MxIndex {
  /** 0 and 0 for an empty file. */
  readonly validity: number
  readonly last: number
  readonly keywords: readonly string[]
  readonly records: readonly MxRecord[]
  /** Behind the last record that is one; the rest says nothing. */
  readonly end: number
  /** What stands there instead. */
  readonly problem: string | undefined
}
export interface MxRecord {
  readonly uid: number
  readonly keywords: number
  readonly flags: number
  /** Place in the file. */
  readonly at: number
}

const hex8 = (n: number): string => n.toString(16).padStart(8, '0')

export function parseMxIndex(bytes: Uint8Array): MxIndex {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const keywords: string[] = []
  const records: MxRecord[] = []
  let validity = 0
  let last = 0
  let at = 0
  const done = (problem?: string): MxIndex => ({ validity, last, keywords, records, end: at, problem })
  while (at < text.length) {
    const wrong = `Error in index: ${text.slice(at, at + 40).replaceAll(/[^\x20-\x7e]/g, '?')}`
    const key = text[at]
    if (key === 'V' || key === 'L') {
      const digits = text.slice(at + 1, at + 9)
      if (!/^[0-9a-f]{8}$/i.test(digits)) return done(wrong)
      if (key === 'V') validity = Number.parseInt(digits, 16)
      else last = Number.parseInt(digits, 16)
      at += 9
    } else if (key === 'K') {
      const end = text.indexOf('\n', at)
      if (end < 0) return done(wrong)
      keywords.push(text.slice(at + 1, end).replace(/\r$/, ''))
      at = end + 1
    } else if (key === 'M') {
      const found = /^M([0-9a-f]{8});([0-9a-f]{8})\.([0-9a-f]{4})$/i.exec(text.slice(at, at + RECORD_OCTETS))
      if (found === null) return done(wrong)
      const [uid = 0, mask = 0, flags = 0] = found.slice(1).map((digits) => Number.parseInt(digits, 16))
      if (uid > (records.at(-1)?.uid ?? 0)) records.push({ uid, keywords: mask, flags, at })
      at += RECORD_OCTETS
    } else return done(wrong)
  }
  return done()
}
export function headText(validity: number, last: number, keywords: readonly string[]): string {
  return `V${hex8(validity)}L${hex8(last)}${keywords.map((k) => `K${k}\n`).join('')}`
}
export function recordText(uid: number, keywords: number, flags: number): string {
  return `M${hex8(uid)};${hex8(keywords)}.${flags.toString(16).padStart(4, '0')}`
}
