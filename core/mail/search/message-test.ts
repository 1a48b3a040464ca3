import { SAVE_DATE } from '../../api/index.js'
import type { Rows, SearchTerm, StoredMessage, Wants } from '../../api/index.js'
import { dayOf } from '../../mime/date.js'
import { eachField, nameIs } from '../../mime/header.js'
import { readRange } from '../../mime/message.js'
import { scanOctets } from '../../mime/scanner.js'
import { inLargeMessage, inPart } from './body-test.js'
import { TextPattern } from './pattern.js'

/** Messages up to here are tested whole in memory; larger ones in windows. */
const WHOLE_LIMIT = 1024 * 1024

/** A message that is being tested. */
export interface OpenedMessage {
  readonly m: StoredMessage
  readonly row: number
  readonly rows: Rows
  /** Undefined when no test wants it. */
  readonly header: Uint8Array | undefined
  /** All of it, when a test wants that and it is not too large. */
  readonly whole: Uint8Array | undefined
  readonly signal: AbortSignal
}
/** Answers out of a message; only what must read on is a promise. */
export interface MessageTest {
  readonly wants: Wants
  matches(opened: OpenedMessage): boolean | Promise<boolean>
}
const NOTHING: Wants = { bytes: 'none', sections: [], facts: [] }

/** The test of a term that needs the message. */
export function messageTest(term: Extract<SearchTerm, { kind: 'text' | 'custom' | 'day' }>): MessageTest {
  if (term.kind === 'custom') return { wants: term.wants, matches: ({ m, row, rows }) => term.matches(m, row as never, rows) }
  if (term.kind === 'day') return savedTest(term.from ?? -Infinity, term.before ?? Infinity)
  const pattern = new TextPattern(term.pattern)
  if (typeof term.in === 'object') return headerTest(term.in.header, pattern)
  if (pattern.isEmpty) return { wants: NOTHING, matches: () => true }
  const withHeaders = term.in === 'text'
  return {
    wants: { bytes: 'whole', sections: [], facts: [] },
    matches({ m, header, whole, signal }) {
      if (withHeaders && header !== undefined && pattern.inHeaderText(header)) return true
      if (whole === undefined) return inLargeMessage(m, pattern, withHeaders, signal)
      return inPart(whole, scanOctets(whole, { lines: false }), pattern, withHeaders)
    },
  }
}

/** Saved dates, and where the store has none the internal date (RFC 8514 §3). */
function savedTest(from: number, before: number): MessageTest {
  return {
    wants: { bytes: 'none', sections: [], facts: [SAVE_DATE] },
    matches({ m, row, rows }) {
      const saved = m.fact?.(SAVE_DATE)
      const day = saved === undefined ? dayOf(rows.date[row]!, rows.zone[row]!) : dayOf(saved, 0)
      return day >= from && day < before
    },
  }
}

/** All fields of a name; an empty pattern asks whether there is one (RFC 3501 §6.4.4). */
function headerTest(header: string, pattern: TextPattern): MessageTest {
  const name = header.toLowerCase()
  return {
    wants: { bytes: 'header', sections: [], facts: [] },
    matches({ header: octets }) {
      if (octets === undefined) return false
      let found = false
      eachField(octets, 0, octets.length, (at, nameEnd, valueAt, end) => {
        if (!found && nameEnd !== -1 && nameIs(octets, at, nameEnd, name)) found = pattern.inHeader(octets, valueAt, end)
      })
      return found
    },
  }
}

/** One test of many: stops at the first answer, and reads each message once. */
export function combineTests(kind: 'and' | 'or', tests: readonly MessageTest[]): MessageTest {
  const stopAt = kind === 'or'
  const from = (opened: OpenedMessage, first: number): boolean | Promise<boolean> => {
    for (let i = first; i < tests.length; i++) {
      const answer = tests[i]!.matches(opened)
      if (typeof answer !== 'boolean') return answer.then((late) => (late === stopAt ? stopAt : from(opened, i + 1)))
      if (answer === stopAt) return stopAt
    }
    return !stopAt
  }
  return { wants: joinWants(tests.map((test) => test.wants)), matches: (opened) => from(opened, 0) }
}

/** The opposite of a test. */
export function invertTest(test: MessageTest): MessageTest {
  return {
    wants: test.wants,
    matches(opened) {
      const answer = test.matches(opened)
      return typeof answer === 'boolean' ? !answer : answer.then((late) => !late)
    },
  }
}

const DEPTHS = ['none', 'header', 'whole'] as const

function joinWants(all: readonly Wants[]): Wants {
  const depth = Math.max(0, ...all.map((wants) => DEPTHS.indexOf(wants.bytes)))
  return { bytes: DEPTHS[depth]!, sections: all.flatMap((wants) => wants.sections), facts: [...new Set(all.flatMap((wants) => wants.facts))] }
}

/** Reads of a message what the wants say; a promise only when the octets are not in memory. */
export function openMessage(m: StoredMessage, row: number, rows: Rows, wants: Wants, signal: AbortSignal): OpenedMessage | Promise<OpenedMessage> {
  const opened = (header: Uint8Array | undefined, whole: Uint8Array | undefined): OpenedMessage => ({ m, row, rows, header, whole, signal })
  if (wants.bytes === 'none') return opened(undefined, undefined)
  const { size } = m.bytes
  if (wants.bytes === 'whole' && size <= WHOLE_LIMIT) {
    const whole = readRange(m.bytes, 0, size, signal)
    const done = (octets: Uint8Array): OpenedMessage => opened(octets.subarray(0, m.headerSize), octets)
    return whole instanceof Promise ? whole.then(done) : done(whole)
  }
  const header = readRange(m.bytes, 0, m.headerSize, signal)
  return header instanceof Promise ? header.then((octets) => opened(octets, undefined)) : opened(header, undefined)
}
