import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../core/wire/limits.js'
import { FRAMER_LIMITS, ImapFramer, PRELOGIN_FRAMER_LIMITS } from '../../../core/wire/imap/framer.js'
import type { Frame, FramerLimits } from '../../../core/wire/imap/frames.js'

/**
 * Frames as text, for one comparison of the whole. Literals up to 100 octets are accepted, those of APPEND streamed, `whole` where they have come, the rest
 * refused.
 */
function read(chunks: readonly Uint8Array[], limits: FramerLimits = PRELOGIN_FRAMER_LIMITS, whole = false): string[] {
  const framer = new ImapFramer(limits)
  const seen: string[] = []
  let octets = ''
  for (const chunk of chunks) {
    // The owner of a chunk may reuse it as soon as everything was asked for.
    const lent = Uint8Array.from(chunk)
    framer.push(lent)
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      if (frame.kind === 'octets') {
        octets += text(frame.octets)
        if (frame.last) seen.push(`octets ${octets}`)
        if (frame.last) octets = ''
        continue
      }
      seen.push(shown(frame))
      if (frame.kind !== 'literal') continue
      if (frame.name === 'APPEND' && frame.size <= LIMITS.appendLiteral) {
        const all = whole ? framer.streamWhole() : undefined
        if (all === undefined) framer.stream()
        else seen.push(`octets ${text(all)}`)
      }
      else if (frame.excess !== undefined || frame.size > 100) framer.refuse()
      else framer.accept()
    }
    lent.fill(0x21)
  }
  return seen
}
function shown(f: Frame): string {
  if (f.kind === 'command') return `${f.tag} ${f.uid ? 'UID ' : ''}${f.name} <${text(f.args)}>${f.tail ? ' tail' : ''}`
  if (f.kind === 'literal') return `${f.tag} ${f.name} <${text(f.args)}> {${f.size}${f.sync ? '' : '+'}}${f.binary ? ' binary' : ''}${f.excess === undefined ? '' : ` ${f.excess}`}`
  if (f.kind === 'bad') return `${f.tag ?? '*'} BAD ${f.text}`
  if (f.kind === 'line') return `line ${f.bytes === undefined ? 'too long' : text(f.bytes)}`
  return f.kind === 'abort' ? `abort ${f.text}` : 'octets'
}
function text(b: Uint8Array): string {
  return Buffer.from(b).toString('latin1')
}
function octets(s: string): Uint8Array {
  return Buffer.from(s, 'latin1')
}
function pieces(all: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.map((c) => c % (all.length + 1)), all.length])].sort((a, b) => a - b)
  return places.slice(1).map((to, i) => all.subarray(places[i], to))
}

const dialogues = [
  { name: 'a command', in: 'a1 noop\r\n', out: ['a1 NOOP <>'] },
  { name: 'a lone LF ends a line', in: 'a1 noop\na2 Check\n', out: ['a1 NOOP <>', 'a2 CHECK <>'] },
  { name: 'runs of spaces before the first argument collapse', in: 'a1   uid   fetch    1 FLAGS\r\n', out: ['a1 UID FETCH <1 FLAGS>'] },
  { name: 'spaces within arguments stay', in: 'a1 LOGIN a  b \r\n', out: ['a1 LOGIN <a  b >'] },
  { name: 'UID without a command', in: 'a1 UID\r\n', out: ['a1 UID <>'] },
  { name: 'an empty line', in: '\r\na1 NOOP\r\n', out: ['* BAD Null command', 'a1 NOOP <>'] },
  { name: 'a line of spaces', in: '   \n', out: ['* BAD Null command'] },
  { name: 'a tag alone', in: 'a1\r\n', out: ['a1 BAD Missing command'] },
  { name: 'a tag with a foreign octet is not echoed', in: 'a\x00\xff1 NOOP\r\n', out: ['* BAD Invalid tag'] },
  { name: 'a plus in a tag', in: 'a+ NOOP\r\n', out: ['* BAD Invalid tag'] },
  { name: 'NUL and 8-bit octets reach the cursor', in: 'a1 SEARCH \x00\xe9\r\n', out: ['a1 SEARCH <\x00\xe9>'] },
  { name: 'control characters of a command name are not echoed', in: 'a1 NO\x07OP x\r\n', out: ['a1 NO?OP <x>'] },
  { name: 'a synchronising literal', in: 'a1 LOGIN {3}\r\nbob secret\r\n', out: ['a1 LOGIN <> {3}', 'a1 LOGIN <{3}\r\nbob secret>'] },
  {
    name: 'non-synchronising literals, one of them empty',
    in: 'a1 LOGIN {3+}\r\nbob {0+}\r\n\r\na2 NOOP\r\n',
    out: ['a1 LOGIN <> {3+}', 'a1 LOGIN <{3+}\r\nbob > {0+}', 'a1 LOGIN <{3+}\r\nbob {0+}\r\n>', 'a2 NOOP <>'],
  },
  { name: 'line ends inside a literal', in: 'a1 LOGIN {4+}\r\n\r\n\r\n x\r\n', out: ['a1 LOGIN <> {4+}', 'a1 LOGIN <{4+}\r\n\r\n\r\n x>'] },
  {
    name: 'a literal that is announced inside a literal is data',
    in: 'a1 LOGIN {5+}\r\n{9+}\r x\r\na2 NOOP\r\n',
    out: ['a1 LOGIN <> {5+}', 'a1 LOGIN <{5+}\r\n{9+}\r x>', 'a2 NOOP <>'],
  },
  { name: 'a size that is not at the end of the line', in: 'a1 LOGIN {3} x\r\n', out: ['a1 LOGIN <{3} x>'] },
  { name: 'no size', in: 'a1 LOGIN {}\r\na2 LOGIN {+}\r\n', out: ['a1 LOGIN <{}>', 'a2 LOGIN <{+}>'] },
  {
    name: 'streamed messages and the pieces between them',
    in: 'a1 APPEND INBOX (\\Seen) {5+}\r\nhello {6}\r\nworld!\r\na2 NOOP\r\n',
    out: ['a1 APPEND <INBOX (\\Seen) > {5+}', 'octets hello', 'a1 APPEND < > {6}', 'octets world!', 'a1 APPEND <> tail', 'a2 NOOP <>'],
  },
  { name: 'an empty streamed literal', in: 'a1 APPEND INBOX {0+}\r\n\r\n', out: ['a1 APPEND <INBOX > {0+}', 'octets ', 'a1 APPEND <> tail'] },
  { name: 'a binary literal', in: 'a1 APPEND INBOX ~{3+}\r\n\0\0\0\r\n', out: ['a1 APPEND <INBOX > {3+} binary', 'octets \0\0\0', 'a1 APPEND <> tail'] },
  { name: 'a refused synchronising literal ends the command', in: 'a1 LOGIN {101}\r\na2 NOOP\r\n', out: ['a1 LOGIN <> {101}', 'a2 NOOP <>'] },
  {
    name: 'a refused non-synchronising literal is dropped with the pieces behind it',
    in: `a1 LOGIN {101+}\r\n${'x'.repeat(101)} {4+}\r\n\r\n\r\n tail\r\na2 NOOP\r\n`,
    out: ['a1 LOGIN <> {101+}', 'a2 NOOP <>'],
  },
  {
    name: 'a synchronising literal after a refusal is not awaited',
    in: `a1 LOGIN {101+}\r\n${'x'.repeat(101)} {4}\r\na2 NOOP\r\n`,
    out: ['a1 LOGIN <> {101+}', 'a2 NOOP <>'],
  },
  { name: 'a literal behind a bad tag keeps the stream in step', in: '+ x {4+}\r\na\r\nb\r\na2 NOOP\r\n', out: ['* BAD Invalid tag', 'a2 NOOP <>'] },
  { name: 'a size beyond all numbers', in: `a1 LOGIN {${'9'.repeat(40)}}\r\na2 NOOP\r\n`, out: [`a1 LOGIN <> {${Number.MAX_SAFE_INTEGER}} Absurdly long client literal`, 'a2 NOOP <>'] },
]

describe('ImapFramer', () => {
  test.each(dialogues)('$name', ({ in: input, out }) => {
    expect(read([octets(input)])).toEqual(out)
  })
  test.each(dialogues)('$name, one octet at a time', ({ in: input, out }) => {
    expect(read(Array.from(octets(input), (o) => Uint8Array.of(o)))).toEqual(out)
  })
  test('any cuts of all of it give the same frames', () => {
    const all = octets(dialogues.map((d) => d.in).join(''))
    const whole = read([all])
    expect(whole).toEqual(dialogues.flatMap((d) => d.out))
    fc.assert(
      fc.property(fc.array(fc.nat(all.length), { maxLength: 40 }), (cuts) => {
        expect(read(pieces(all, cuts))).toEqual(whole)
        expect(read(pieces(all, cuts), PRELOGIN_FRAMER_LIMITS, true)).toEqual(whole)
      }),
      { numRuns: 200 },
    )
  })
  test('any octets in any cuts give the same frames', () => {
    const word = fc.constantFrom('a1 ', 'NOOP', 'APPEND ', ' ', '\r\n', '\n', '\r', '{3}', '{3+}', '~{2+}', '{0+}', '{200+}', '{99', '}', '"', '\\', '\0', '\xff', 'x'.repeat(90), 'UID ', '(', ')')
    const limits = { ...PRELOGIN_FRAMER_LIMITS, line: 300, literal: 50, literals: 2, discard: 500 }
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), fc.array(fc.nat(), { maxLength: 30 }), (words, cuts) => {
        const all = octets(words.join(''))
        expect(read(pieces(all, cuts), limits)).toEqual(read([all], limits))
        expect(read(pieces(all, cuts), limits, true)).toEqual(read([all], limits))
      }),
      { numRuns: 300 },
    )
  })
})

describe('octets of a literal in one piece', () => {
  test('once they have come, and what follows them goes on', () => {
    const framer = new ImapFramer()
    framer.push(octets('a1 APPEND INBOX {5+}\r\nwho'))
    expect(framer.next()).toMatchObject({ kind: 'literal', size: 5 })
    expect(framer.streamWhole()).toBeUndefined()
    framer.push(octets('le {2+}\r\nxy\r\n'))
    expect(text(framer.streamWhole() ?? octets(''))).toBe('whole')
    expect(framer.next()).toMatchObject({ kind: 'literal', size: 2, streamed: 1 })
    expect(text(framer.streamWhole() ?? octets(''))).toBe('xy')
    expect(framer.next()).toMatchObject({ kind: 'command', tail: true })
    expect(framer.streamWhole()).toBeUndefined()
  })
})

describe('bounds of the framer', () => {
  const line = (length: number): string => `a1 X ${'y'.repeat(length - 7)}\r\n`
  test('a line of the greatest length, and one octet more', () => {
    expect(read([octets(line(LIMITS.commandLine))])[0]).toMatch(/^a1 X <y+>$/)
    expect(read([octets(`${line(LIMITS.commandLine + 1)}a2 NOOP\r\n`)])).toEqual(['a1 BAD Command line too long', 'a2 NOOP <>'])
  })
  test('an overlong line without a space in its first 100 octets is answered untagged', () => {
    expect(read([octets(`${'y'.repeat(70_000)}\r\na2 NOOP\r\n`)])).toEqual(['* BAD Command line too long', 'a2 NOOP <>'])
  })
  test('an overlong line that announces a literal takes it along', () => {
    expect(read([octets(`a1 X ${'y'.repeat(70_000)}{4+}\r\na\r\nb\r\na2 NOOP\r\n`)])).toEqual(['a1 BAD Command line too long', 'a2 NOOP <>'])
  })
  test('the line bound is shared by all pieces of a command', () => {
    const piece = 'y'.repeat(40_000)
    expect(read([octets(`a1 X ${piece} {1+}\r\nz${piece}\r\na2 NOOP\r\n`)]).slice(1)).toEqual(['a1 BAD Command line too long', 'a2 NOOP <>'])
  })
  test('a tag of 50 octets, and of 51', () => {
    expect(read([octets(`${'t'.repeat(50)} NOOP\r\n`)])).toEqual([`${'t'.repeat(50)} NOOP <>`])
    expect(read([octets(`${'t'.repeat(51)} NOOP\r\n`)])).toEqual(['* BAD Excessively long tag'])
  })
  test('literals of 10000 octets are offered, larger ones with a reason', () => {
    const excess = (n: number): unknown => {
      const framer = new ImapFramer()
      framer.push(octets(`a1 LOGIN {${n}}\r\n`))
      const frame = framer.next()
      return frame?.kind === 'literal' ? frame.excess : frame
    }
    expect(excess(LIMITS.literal)).toBeUndefined()
    expect(excess(LIMITS.literal + 1)).toBe('Absurdly long client literal')
  })
  test('20 literals in one command, and 21', () => {
    const command = (n: number): string => `a1 SEARCH${' {1+}\r\nx'.repeat(n)}\r\n`
    expect(read([octets(command(20))]).at(-1)).toMatch(/^a1 SEARCH </)
    expect(read([octets(`${command(21)}a2 NOOP\r\n`)]).slice(-2)).toEqual([expect.stringContaining('Too many literals in command'), 'a2 NOOP <>'])
  })
  test('LITERAL- alone lets 4096 octets in unasked, not 4097 (RFC 7888 §5)', () => {
    const unasked = (n: number, plus: string): unknown => {
      const framer = new ImapFramer({ ...FRAMER_LIMITS, nonSync: LIMITS.smallNonSyncLiteral })
      framer.push(octets(`a1 APPEND INBOX {${n}${plus}}\r\n`))
      const frame = framer.next()
      return frame?.kind === 'literal' ? frame.unasked : frame
    }
    expect([unasked(4096, '+'), unasked(4097, '+'), unasked(4097, '')]).toEqual([false, true, false])
  })
  test('refused octets are dropped up to the bound, one more ends the link', () => {
    const limits = { ...PRELOGIN_FRAMER_LIMITS, discard: 200 }
    const refused = (n: number): string[] => read([octets(`a1 LOGIN {${n}+}\r\n${'x'.repeat(n)}\r\na2 NOOP\r\n`)], limits).slice(1)
    expect(refused(200)).toEqual(['a2 NOOP <>'])
    expect(refused(201)).toEqual(['abort Too much refused literal data'])
    const split = read([octets(`a1 LOGIN {150+}\r\n${'x'.repeat(150)} {51+}\r\n${'x'.repeat(51)}\r\na2 NOOP\r\n`)], limits)
    expect(split.slice(1)).toEqual(['abort Too much refused literal data'])
  })
})

describe('lines, endings and leftovers', () => {
  test('a raw line of the greatest length, one octet more, and the command behind', () => {
    for (const cut of [1, 7, 100]) {
      const framer = new ImapFramer()
      const seen: string[] = []
      const feed = (s: string): void => {
        const all = octets(s)
        for (let at = 0; at < all.length; at += cut) {
          framer.push(all.subarray(at, at + cut))
          for (let f = framer.next(); f !== undefined; f = framer.next()) seen.push(shown(f))
        }
      }
      framer.line(4)
      feed('DONE\r\n')
      framer.line(4)
      feed('DONE!\r\n')
      framer.line(4)
      feed(`${'x'.repeat(500)}\n`)
      feed('a1 NOOP\r\n')
      expect(seen).toEqual(['line DONE', 'line too long', 'line too long', 'a1 NOOP <>'])
    }
  })
  test('abandon drops the rest of a streamed command', () => {
    const framer = new ImapFramer()
    framer.push(octets('a1 APPEND INBOX {10+}\r\nhello'))
    expect(framer.next()?.kind).toBe('literal')
    framer.stream()
    expect(framer.next()?.kind).toBe('octets')
    framer.abandon()
    expect(framer.next()).toBeUndefined()
    framer.push(octets('world {3+}\r\n\r\n\r\r\na2 NOOP\r\n'))
    expect(shown(framer.next()!)).toBe('a2 NOOP <>')
    framer.abandon()
    framer.push(octets('a3 NOOP\r\n'))
    expect(shown(framer.next()!)).toBe('a3 NOOP <>')
  })
  test('abandon between the pieces of a streamed command', () => {
    const framer = new ImapFramer()
    framer.push(octets('a1 APPEND INBOX {1+}\r\nx (foo'))
    framer.next()
    framer.stream()
    framer.next()
    expect(framer.next()).toBeUndefined()
    framer.abandon()
    framer.push(octets(' bar\r\na2 NOOP\r\n'))
    expect(shown(framer.next()!)).toBe('a2 NOOP <>')
  })
  test('what waits is handed over or dropped', () => {
    const framer = new ImapFramer()
    framer.push(octets('a1 STARTTLS\r\na2 LOGIN x y\r\n'))
    expect(shown(framer.next()!)).toBe('a1 STARTTLS <>')
    expect(framer.waiting).toBe(14)
    expect(text(framer.rest())).toBe('a2 LOGIN x y\r\n')
    expect(framer.waiting).toBe(0)
    framer.push(octets('a3 NOOP\r\n'))
    framer.clear()
    expect(framer.next()).toBeUndefined()
  })
  test('partial and reading say what is awaited', () => {
    const framer = new ImapFramer()
    expect([framer.partial, framer.reading]).toEqual([false, 'reading line'])
    framer.push(octets('a1 LOGIN {5}\r\n'))
    framer.next()
    framer.accept()
    expect([framer.partial, framer.reading]).toEqual([true, 'reading literal'])
    framer.push(octets('alice "x"\r\n'))
    framer.next()
    expect([framer.partial, framer.reading]).toEqual([false, 'reading line'])
  })
  test('settle keeps waiting commands when the chunk is used again', () => {
    const framer = new ImapFramer()
    const chunk = octets('a1 NOOP\r\na2 NOOP\r\n')
    framer.push(chunk)
    framer.next()
    framer.settle()
    chunk.fill(0)
    expect(shown(framer.next()!)).toBe('a2 NOOP <>')
  })
  test('a decision without an announced literal is a fault of the caller', () => {
    expect(() => new ImapFramer().accept()).toThrow('no literal')
  })
})
