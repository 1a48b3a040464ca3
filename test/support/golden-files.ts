import { readFileSync } from 'node:fs'
import { SYSTEM } from '../../core/api/index.js'
import { parseInternalDate } from '../../plugins/formats/shared/internal-date.js'
import type { GoldenMailbox } from './golden.js'
import type { SeenMessage } from './open-box.js'

export function goldenOf(format: string): readonly GoldenMailbox[] {
  return JSON.parse(readFileSync(new URL(`../fixtures/${format}/expected.json`, import.meta.url), 'utf8')) as GoldenMailbox[]
}
export function sampleOf(format: string, name: string): Buffer {
  return readFileSync(new URL(`../fixtures/${format}/${name}`, import.meta.url))
}
const BITS: Readonly<Record<string, number>> = { '\\Seen': SYSTEM.seen, '\\Deleted': SYSTEM.deleted, '\\Flagged': SYSTEM.flagged, '\\Answered': SYSTEM.answered, '\\Draft': SYSTEM.draft }

/** As a mailbox shows its messages, less their text. */
export function expectedRows(golden: GoldenMailbox): Omit<SeenMessage, 'text'>[] {
  return golden.messages.map(({ uid, size, header, internaldate, flags, keywords }) => {
    const date = parseInternalDate(internaldate)
    return { uid, size, header, ms: date?.ms ?? 0, zone: date?.zone ?? 0, system: flags.reduce((sum, flag) => sum | (BITS[flag] ?? 0), 0), keywords }
  })
}
export function rowsOf(messages: readonly SeenMessage[]): Omit<SeenMessage, 'text'>[] {
  return messages.map(({ text: _text, ...row }) => row)
}
