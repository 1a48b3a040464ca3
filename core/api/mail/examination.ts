import type { AppendItem } from './delivery.js'
import type { GivenNumbers } from './store.js'

/**
 * What a look for damage finds in a mailbox, in the order of its file; `at` is the octet where it stands, in a mailbox that is a folder in `file` there.
 * `denied`: whoever looks may not read it; it may be whole.
 */
export type Examined =
  | { readonly kind: 'damage'; readonly at: number; readonly file?: string; readonly text: string; readonly denied?: true }
  /** Once, before the messages: what the mailbox says of its numbers, where that is whole. Without it they are lost. */
  | ({ readonly kind: 'numbers' } & Required<GivenNumbers>)
  /**
   * A message that can be read, as it can be delivered again; with its `uid` only where the mailbox leaves no doubt that these octets, all of them
   * and no others, had it; `bytes` are CRLF octets, read once, before the next is asked for; what is wrong with reading them is told next.
   */
  | ({ readonly kind: 'message'; readonly at: number } & Pick<AppendItem, 'size' | 'bytes' | 'system' | 'keywords' | 'date' | 'uid'>)
/** A mailbox that is being examined, and the format that it is read as. */
export interface Examination {
  readonly format: string
  readonly found: AsyncIterable<Examined>
  /** Whether a name directly below the mailbox is a part of it (`MailboxFormat.owns`), also where damage lets LIST show it; absent: none is. */
  owns?(name: string): boolean
}
