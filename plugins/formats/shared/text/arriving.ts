import type { Files } from 'mailwright/api'
import type { Waiting } from './append.js'
import { StoredReader, type StoredAt, type StoredIn } from './stored.js'

/** Octets that a client gave. */
export type Given = Extract<Waiting['content'], { chunks(): unknown }>
/** A message with its octets at hand, or the place of a stored one. */
export interface Source {
  readonly item: Waiting['item']
  readonly content: Given | StoredAt
}
/** Messages to be laid down in their order, and verified before what was laid down counts. */
export interface Arriving extends AsyncDisposable {
  readonly waiting: readonly Waiting[]
  /** @throws MailError `vanished` when a stored message is not where it was. */
  verify(): Promise<void>
}

/** `from`: the file of those that are stored. */
export async function arriving(files: Files, messages: readonly Source[], from: StoredIn | undefined): Promise<Arriving> {
  const places = messages.flatMap(({ content }) => ('head' in content ? [content] : []))
  const reader = from === undefined ? undefined : await StoredReader.open(files, from, places)
  const octets = ({ item, content }: Source): Waiting => {
    if (!('head' in content)) return { item, content }
    if (reader === undefined) throw new Error('a stored message came without its file')
    return { item, content: { stored: () => reader.next() } }
  }
  return {
    waiting: messages.map(octets),
    verify: async () => reader?.verify(),
    [Symbol.asyncDispose]: async () => reader?.[Symbol.asyncDispose](),
  }
}
