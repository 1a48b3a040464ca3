import { createToken } from '../kernel.js'
import type { AnyFact } from './message.js'

/** Losing it costs time, never mail. Core keeps rows and facts in it under the source's stamp; plugins seldom need it. */
export interface MailboxCache {
  rows(key: string): Promise<Uint8Array | undefined>
  facts(key: string, f: AnyFact): Promise<FactCache>
}
/** Synchronous: a segment is loaded once, then a hit is a slice. */
export interface FactCache {
  get(uid: number): Uint8Array | undefined
  put(uid: number, value: Uint8Array): void
  flush(): Promise<void>
}
/** May be asked for; core already uses it. */
export const MAILBOX_CACHE = createToken<MailboxCache>('mail.cache').in('process', ['mail'])
