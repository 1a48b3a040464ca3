import { ENVELOPE, uids } from '../../../../core/api/index.js'
import type { AnyFact, FlagSet, Row, Rows, SearchAbility, SearchTerm, StoredMessage, UidSet, Wants } from '../../../../core/api/index.js'
import type { SearchContext } from '../../../../core/mail/search/context.js'
import { search } from '../../../../core/mail/search/search.js'
import { headerEnd } from '../../../../core/mime/header.js'

/** A message of a made-up mailbox; uids are 10, 20, 30 and so on. */
export interface FakeMessage {
  /** Octets as Latin-1; line ends become CRLF. */
  readonly text?: string
  readonly system?: number
  readonly keywords?: readonly string[]
  readonly recent?: boolean
  readonly size?: number
  readonly date?: string
  readonly zone?: number
  readonly modseq?: number
  readonly gone?: boolean
}
/** What the search asked of the mailbox. */
export interface Asked {
  readonly reads: { readonly uids: number[]; readonly bytes: Wants['bytes'] }[]
  readonly cache: Map<number, Uint8Array>
}
export interface Options {
  readonly cached?: boolean
  readonly ability?: SearchAbility
  readonly inline?: boolean
  readonly signal?: AbortSignal
  readonly now?: number
  readonly cache?: Map<number, Uint8Array>
}

export function expand(set: UidSet, length: number): number[] {
  const out: number[] = []
  for (let i = 1; i <= length; i++) if (set.has(10 * i)) out.push(i)
  return out
}

/** Runs a search; the answer is in numbers of messages, from 1. */
export async function find(messages: readonly FakeMessage[], term: SearchTerm, options: Options = {}): Promise<{ found: number[]; asked: Asked }> {
  const octets = messages.map((m) => Buffer.from((m.text ?? '').replace(/\r?\n/g, '\r\n'), 'latin1'))
  const sets: FlagSet[] = messages.map((m) => ({ system: m.system ?? 0, keywords: m.keywords ?? [], wire: new Uint8Array(0) }))
  const rows: Rows = {
    length: messages.length,
    uid: Uint32Array.from(messages, (_, i) => 10 * (i + 1)),
    flags: Uint32Array.from(messages, (_, i) => i),
    size: Uint32Array.from(messages, (m, i) => m.size ?? octets[i]!.length),
    date: Float64Array.from(messages, (m) => Date.parse(m.date ?? '2024-01-01T00:00:00Z')),
    zone: Int16Array.from(messages, (m) => m.zone ?? 0),
    modseq: Float64Array.from(messages, (m) => m.modseq ?? 1),
    flagSets: sets,
    gaps: 0,
    column: () => {
      throw new Error('no columns here')
    },
    find: (uid) => (uid % 10 === 0 && uid >= 10 && uid <= 10 * messages.length ? ((uid / 10 - 1) as Row) : -1),
  }
  const asked: Asked = { reads: [], cache: options.cache ?? new Map() }
  const ctx: SearchContext = {
    rows,
    isRecent: (row) => messages[row]!.recent === true,
    async *read(set, wants) {
      const numbers = expand(set, messages.length)
      // A reader that has no such fact is asked for it before it is asked for octets.
      if (wants.bytes !== 'none') asked.reads.push({ uids: numbers, bytes: wants.bytes })
      for (const n of numbers) {
        const message = octets[n - 1]!
        if (messages[n - 1]!.gone === true) continue
        await Promise.resolve()
        const stored: StoredMessage = {
          uid: 10 * n,
          headerSize: headerEnd(message),
          bytes: {
            size: message.length,
            ...(options.inline === false ? {} : { inline: message }),
            read: (at, into) => {
              const part = message.subarray(at, at + Math.min(into.length, 50_000))
              into.set(part)
              return Promise.resolve(part.length)
            },
          },
        }
        yield [stored]
      }
    },
    ...(options.cached === true
      ? {
          factCache: (fact: AnyFact) =>
            fact.id === ENVELOPE.id
              ? { get: (uid: number) => asked.cache.get(uid), put: (uid: number, value: Uint8Array) => void asked.cache.set(uid, value), flush: () => Promise.resolve() }
              : undefined,
        }
      : {}),
    ability: options.ability,
    now: () => options.now ?? Date.parse('2024-01-02T00:00:00Z'),
    signal: options.signal ?? new AbortController().signal,
  }
  const result = await search(term, uids.all, ctx)
  return { found: expand(result, messages.length), asked }
}

type Where = Extract<SearchTerm, { kind: 'text' }>['in']
export const text = (where: Where, pattern: string, field?: string): SearchTerm => ({
  kind: 'text', in: where, pattern, fuzzy: false, ...(field === undefined ? {} : { field }),
})
export const body = (pattern: string): SearchTerm => text('body', pattern)
export const whole = (pattern: string): SearchTerm => text('text', pattern)
export const header = (name: string, pattern: string): SearchTerm => text({ header: name }, pattern)
export const address = (field: string, pattern: string): SearchTerm => text('addresses', pattern, field)
export const not = (term: SearchTerm): SearchTerm => ({ kind: 'not', term })
export const and = (...terms: SearchTerm[]): SearchTerm => ({ kind: 'and', terms })
export const or = (...terms: SearchTerm[]): SearchTerm => ({ kind: 'or', terms })
/** UTF-8 octets as Latin-1. */
export const utf8 = (value: string): string => Buffer.from(value, 'utf8').toString('latin1')
