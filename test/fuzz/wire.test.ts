import { expect, test } from 'vitest'
import { SyntaxFailure, uids } from '../../core/api/index.js'
import { OctetCursor } from '../../core/wire/imap/cursor.js'
import { parseFetchItems, parsePartial, parseSection, sectionLabel } from '../../core/wire/imap/fetch-items.js'
import { ImapFramer, PRELOGIN_FRAMER_LIMITS } from '../../core/wire/imap/framer.js'
import { parseSearchCharset, parseSearchKeys } from '../../core/wire/imap/search-program.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { command, damaged, pieces } from './input.js'

const ROUNDS = LONG ? 30_000 : 2000
const limits = { ...PRELOGIN_FRAMER_LIMITS, line: 2000, literal: 100, literals: 4, discard: 100_000 }

/** What the framer makes of chunks, as text; every third literal is refused, streamed or accepted by its size. */
function frames(chunks: readonly Buffer[], each: (args: Uint8Array) => void): string[] {
  const framer = new ImapFramer(limits)
  const seen: string[] = []
  let streamed = ''
  for (const chunk of chunks) {
    framer.push(Buffer.from(chunk))
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      if (frame.kind === 'octets') {
        streamed += Buffer.from(frame.octets).toString('latin1')
        if (!frame.last) continue
        seen.push(`octets ${streamed}`)
        streamed = ''
        continue
      }
      seen.push(JSON.stringify(frame, (_key, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value)))
      if (frame.kind === 'literal') {
        if (frame.name === 'APPEND') framer.stream()
        else if (frame.excess !== undefined || frame.size % 3 === 0) framer.refuse()
        else framer.accept()
      }
      if (frame.kind === 'command') each(frame.args)
      if (frame.kind === 'abort') return seen
    }
  }
  return seen
}

const readers: readonly ((c: OctetCursor) => unknown)[] = [
  (c) => c.astring(),
  (c) => c.nstring(),
  (c) => c.mailbox(),
  (c) => c.pattern(),
  (c) => c.set(),
  (c) => c.flags(true),
  (c) => c.date(),
  (c) => c.dateTime(),
  (c) => c.list((inner) => inner.astring()),
  (c) => parseFetchItems(c, (_name, at) => (at.peek() === 0x5b ? [sectionLabel(parseSection(at)), parsePartial(at)] : undefined)),
  (c) => {
    parseSearchCharset(c)
    return parseSearchKeys(c, { resolve: (set) => (set === 'saved' ? uids.none : uids.ranges(set.pairs)), decode: (b) => Buffer.from(b).toString('latin1') })
  },
]
/** Every reader either understands the octets or says where they are wrong. */
function readAll(args: Uint8Array): void {
  for (const reader of readers) {
    for (const utf8 of [false, true]) {
      const c = new OctetCursor(args, { utf8, rev2: false })
      try {
        for (let n = 0; n < 20 && !c.atEnd(); n++) {
          reader(c)
          if (c.peek() !== 0x20) c.end()
          else c.space()
        }
      } catch (failure) {
        if (!(failure instanceof SyntaxFailure)) throw failure
        expect(failure.position).toBeLessThanOrEqual(args.length)
      }
      expect(c.position).toBeLessThanOrEqual(args.length)
    }
  }
}

test('damaged commands are framed alike in any pieces, and read or refused', () => {
  const seed = seedOf('fuzz/wire')
  const random = randomOf(seed)
  for (let round = 0; round < ROUNDS; round++) {
    let text = ''
    for (let n = 1 + Math.floor(random() * 6); n > 0; n--) text += command(random, `a${n}`)
    const octets = damaged(random, text)
    const whole = frames([octets], readAll)
    expect(frames(pieces(random, octets), () => undefined), `seed ${seed} round ${round}`).toEqual(whole)
  }
}, 300_000)
