import { SYSTEM } from '../../api/mail/table.js'
import type { SearchTerm } from '../../api/mail/search.js'
import type { SequenceSet } from '../../api/session.js'
import type { UidSet } from '../../api/mail/uid-set.js'
import { LIMITS } from '../limits.js'
import type { OctetCursor } from './cursor.js'

/** What a search program needs to become a term. */
export interface SearchGrammar {
  /** Messages that a set means, in this session. */
  resolve(set: SequenceSet, by: 'seq' | 'uid'): UidSet
  /** Text of a search string. Called with the octets as sent, in the charset of the program. */
  decode(octets: Uint8Array): string
  /** A key that an extension brings; `nested` reads one more key. Asked before the keys of RFC 3501. */
  extension?(name: string, input: OctetCursor, nested: () => SearchTerm): SearchTerm | undefined
}

const ALL: SearchTerm = { kind: 'and', terms: [] }
const SEEN: SearchTerm = { kind: 'flag', system: SYSTEM.seen }
const RECENT: SearchTerm = { kind: 'flag', recent: true }

function not(term: SearchTerm): SearchTerm {
  return { kind: 'not', term }
}
function flag(system: number): SearchTerm {
  return { kind: 'flag', system }
}

type Reader = (c: OctetCursor, g: SearchGrammar, nested: () => SearchTerm) => SearchTerm
function argument(c: OctetCursor, g: SearchGrammar): string {
  c.space()
  return g.decode(c.astring())
}
function addresses(field: string): Reader {
  return (c, g) => ({ kind: 'text', in: 'addresses', field, pattern: argument(c, g), fuzzy: false })
}
function text(where: 'body' | 'text' | { readonly header: string }): Reader {
  return (c, g) => ({ kind: 'text', in: where, pattern: argument(c, g), fuzzy: false })
}
function keyword(c: OctetCursor): SearchTerm {
  c.space()
  return { kind: 'flag', keyword: c.flag() }
}
function day(of: 'internal' | 'sent', when: 'before' | 'on' | 'since'): Reader {
  return (c) => {
    c.space()
    const date = c.date()
    if (when === 'before') return { kind: 'day', of, before: date }
    return when === 'since' ? { kind: 'day', of, from: date } : { kind: 'day', of, from: date, before: date + 1 }
  }
}

/** Every key of RFC 3501 §6.4.4 that is a word. */
const keys: Readonly<Record<string, Reader | SearchTerm>> = {
  ALL,
  ANSWERED: flag(SYSTEM.answered),
  BCC: addresses('bcc'),
  BEFORE: day('internal', 'before'),
  BODY: text('body'),
  CC: addresses('cc'),
  DELETED: flag(SYSTEM.deleted),
  DRAFT: flag(SYSTEM.draft),
  FLAGGED: flag(SYSTEM.flagged),
  FROM: addresses('from'),
  HEADER: (c, g) => {
    c.space()
    const header = g.decode(c.astring())
    return { kind: 'text', in: { header }, pattern: argument(c, g), fuzzy: false }
  },
  KEYWORD: keyword,
  LARGER: (c) => {
    c.space()
    return { kind: 'size', above: c.number() }
  },
  NEW: { kind: 'and', terms: [RECENT, not(SEEN)] },
  NOT: (c, _g, nested) => {
    c.space()
    return not(nested())
  },
  OLD: not(RECENT),
  ON: day('internal', 'on'),
  OR: (c, _g, nested) => {
    c.space()
    const first = nested()
    c.space()
    return { kind: 'or', terms: [first, nested()] }
  },
  RECENT,
  SEEN,
  SENTBEFORE: day('sent', 'before'),
  SENTON: day('sent', 'on'),
  SENTSINCE: day('sent', 'since'),
  SINCE: day('internal', 'since'),
  SMALLER: (c) => {
    c.space()
    return { kind: 'size', below: c.number() }
  },
  SUBJECT: text({ header: 'subject' }),
  TEXT: text('text'),
  TO: addresses('to'),
  UID: (c, g) => {
    c.space()
    return { kind: 'uids', set: g.resolve(c.set(), 'uid') }
  },
  UNANSWERED: not(flag(SYSTEM.answered)),
  UNDELETED: not(flag(SYSTEM.deleted)),
  UNDRAFT: not(flag(SYSTEM.draft)),
  UNFLAGGED: not(flag(SYSTEM.flagged)),
  UNKEYWORD: (c) => not(keyword(c)),
  UNSEEN: not(SEEN),
}

const OPEN = 0x28
const CLOSE = 0x29
const SP = 0x20

/** One or more keys up to the end of the command or an unmatched `)`, joined by AND (RFC 3501 §6.4.4). */
export function parseSearchKeys(c: OctetCursor, g: SearchGrammar): SearchTerm {
  let depth = 0
  const conjunction = (): SearchTerm => {
    const terms = [key()]
    while (c.peek() === SP) {
      c.space()
      if (c.atEnd() || c.peek() === CLOSE) break
      terms.push(key())
    }
    return terms.length === 1 ? terms[0]! : { kind: 'and', terms }
  }
  const key = (): SearchTerm => {
    if (++depth > LIMITS.searchNesting) return c.fail(`at most ${LIMITS.searchNesting} levels of search keys`)
    const term = oneKey()
    depth--
    return term
  }
  const oneKey = (): SearchTerm => {
    const first = c.peek()
    if (first === OPEN) {
      c.take(OPEN)
      const term = conjunction()
      c.expect(CLOSE)
      return term
    }
    if (first === 0x2a || first === 0x24 || (first >= 48 && first <= 57)) return { kind: 'uids', set: g.resolve(c.set(), 'seq') }
    const name = c.nameUpTo('')
    const extended = g.extension?.(name, c, key)
    if (extended !== undefined) return extended
    const reader = Object.hasOwn(keys, name) ? keys[name] : undefined
    if (reader === undefined) return c.fail('a search key')
    return typeof reader === 'function' ? reader(c, g, key) : reader
  }
  return conjunction()
}

/** The charset of a program that begins with `CHARSET name`, upper case; undefined: none is named, which means US-ASCII. */
export function parseSearchCharset(c: OctetCursor): string | undefined {
  if (!c.tryWord('CHARSET')) return undefined
  c.space()
  const name = Buffer.from(c.astring()).toString('latin1').toUpperCase()
  c.space()
  return name
}
