import { extensionPoint, type Codec } from '../kernel.js'

declare const carries: unique symbol
/** One property of a message: held by the driver, kept in the cache, or derived from the bytes; core chooses the cheapest. */
export interface Fact<T> {
  readonly id: string
  readonly version: number
  readonly codec: Codec<T>
  readonly [carries]?: (x: T) => T
}
/** `version` rises when the derivation changes; old cache entries are then ignored. */
export function createFact<T>(id: string, version: number, codec: Codec<T>): Fact<T> {
  return Object.freeze({ id, version, codec })
}
/** What a set of facts is asked by; covariant, so that facts of many types stand in one list. */
export interface AnyFact {
  readonly id: string
  readonly version: number
}
/** Contributed by whoever can compute a fact (preview, object ids, a body structure). */
export interface FactDeriver<T> {
  readonly fact: Fact<T>
  readonly reads: 'header' | 'whole' | 'sidecar'
  /** At once where what it reads is in memory (`m.bytes.inline`): a promise for each of thousands of messages costs more than many a fact. */
  derive(m: StoredMessage, signal: AbortSignal): T | Promise<T>
}
/** Hides `T`, so that derivers of many types stand in one list. */
export function sealDeriver<T>(d: FactDeriver<T>): SealedDeriver {
  return d
}
/** A deriver as core keeps it. */
export interface SealedDeriver {
  readonly fact: AnyFact
  readonly [carries]?: never
}
export const factDerivers = extensionPoint<SealedDeriver>('mail.facts').in({ scope: 'host', pick: 'all', roles: ['mail'], slot: 'hosts.*.facts' })
const octets: Codec<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes }
function json<T>(): Codec<T> {
  return {
    encode: (value) => new TextEncoder().encode(value === undefined ? '' : JSON.stringify(value)),
    // What encode wrote is what decode reads; undefined is the empty string.
    decode: (bytes) => (bytes.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(bytes))) as T,
  }
}
/** ENVELOPE and BODYSTRUCTURE as they go on the wire. */
export const ENVELOPE = createFact<Uint8Array>('envelope', 1, octets)
export const BODYSTRUCTURE = createFact<Uint8Array>('bodystructure', 1, octets)
export const SAVE_DATE = createFact<number>('save-date', 1, json<number>())
/** A part of a message, for stores that can fetch it alone. */
export interface Section {
  readonly part: readonly number[]
  readonly what: 'all' | 'header' | 'mime' | 'text' | { readonly fields: readonly string[]; readonly not: boolean }
  readonly decoded: boolean
}
/** The union over all items of one FETCH; `bytes` is a hint, not a promise. */
export interface Wants {
  readonly bytes: 'none' | 'header' | 'whole'
  readonly sections: readonly Section[]
  readonly facts: readonly AnyFact[]
}
/**
 * CRLF octets of a message or a section. `inline` spares small ones the await. Each `read` stands alone: between two of them the message may
 * have moved in its file (find it again by uid) or gone (throw `vanished`); no lock outlives a call.
 */
export interface MessageBytes {
  readonly size: number
  readonly inline?: Uint8Array
  read(at: number, into: Uint8Array, signal: AbortSignal): Promise<number>
}
/** Valid until the next batch is pulled. */
export interface StoredMessage {
  readonly uid: number
  readonly headerSize: number
  readonly bytes: MessageBytes
  /** Present when the store can hand out a section without the rest (a remote server, a database). */
  section?(s: Section): MessageBytes | undefined
  fact?<T>(f: Fact<T>): T | undefined
}
