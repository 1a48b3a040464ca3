import type { Dialect } from './dialect.js'
import { BIT, hex } from './dialect.js'
import type { FileHeader } from './file-header.js'
import { FORM, Layout, type Place } from './layout.js'
import type { Found, Scanned } from './scan.js'

/** A message as a scan found it, with its number. */
export interface Entry {
  readonly found: Found
  readonly place: Place
}
/** Messages in order, and what the mailbox's own record should say of numbers. */
export interface Numbered {
  readonly entries: readonly Entry[]
  readonly validity: number
  readonly last: number
  readonly hidden: number
  readonly warning: string | undefined
}

/**
 * Gives messages that lack a number the next one. A number that does not ascend, or was never given, ends the belief in all that follow:
 * they are numbered anew under another validity.
 *
 * @param from what is known: the number before the first record, how many messages stand before it, and where those stand whose numbers
 * only this process knows
 */
export function numberRecords(dialect: Dialect, scanned: Scanned, header: FileHeader, from: { readonly previous: number; readonly count: number; readonly known?: Layout | undefined }, now: number): Numbered {
  const remembered = from.known === undefined ? undefined : numbersByPlace(from.known)
  let { validity, last } = header
  let { previous } = from
  let warning: string | undefined
  let hidden = 0
  const entries: Entry[] = []
  for (const found of scanned.records) {
    const { flags, uid } = found.line.fields
    if ((flags & BIT.hidden) !== 0) {
      hidden++
      if (uid > previous && uid <= last) previous = uid
      continue
    }
    let number = uid
    if (dialect.header !== undefined && uid !== 0 && (uid <= previous || uid > last)) {
      warning ??= `Invalid UID ${hex(uid, 8)} in message ${from.count + entries.length + 1}, rebuilding UIDs`
      validity = now
      last = previous
      number = 0
    }
    const form = (number === 0 && dialect.header !== undefined ? 0 : FORM.numbered) | ((flags & BIT.old) === 0 ? 0 : FORM.old)
    if (number === 0) number = remembered?.get(found.offset) ?? ++last
    previous = number
    entries.push({ found, place: { uid: number, offset: found.offset, line: found.line.length, stored: found.stored, header: found.header, size: found.size, form } })
  }
  return { entries, validity, last, hidden, warning }
}
function numbersByPlace(known: Layout): ReadonlyMap<number, number> {
  const out = new Map<number, number>()
  for (let i = 0; i < known.count; i++) out.set(known.at('offset', i), known.at('uid', i))
  return out
}
export function layoutOf(entries: readonly Entry[]): Layout {
  const layout = new Layout()
  for (const { place } of entries) layout.push(place)
  return layout
}
