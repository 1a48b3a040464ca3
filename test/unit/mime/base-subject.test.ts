import { describe, expect, test } from 'vitest'
import { baseSubject } from '../../../core/mime/base-subject.js'

/** Subject, what is left, and whether a sign of a reply or of forwarding was removed. */
const rows: readonly (readonly [subject: string, text: string, isReply: boolean])[] = [
  ['Hello', 'Hello', false],
  ['', '', false],
  ['   ', '', false],
  [' \t Hello \t world  ', 'Hello world', false],
  ['Hello\r\n  world', 'Hello world', false],
  ['Re: Hello', 'Hello', true],
  ['re:Hello', 'Hello', true],
  ['RE : Hello', 'Hello', true],
  ['re\t: Hello', 'Hello', true],
  ['Re[2]: Hello', 'Hello', true],
  ['Re [2] : Hello', 'Hello', true],
  ['Fw: Hello', 'Hello', true],
  ['FWD: Hello', 'Hello', true],
  ['Fwd[list]: Hello', 'Hello', true],
  ['Re: Fwd: re: Hello', 'Hello', true],
  ['Re: Re: Re:', '', true],
  ['Re:', '', true],
  ['Hello (fwd)', 'Hello', true],
  ['Hello (FWD) (fwd) ', 'Hello', true],
  ['x(fwd)', 'x', true],
  ['(fwd)', '', true],
  ['(fwd) Hello', '(fwd) Hello', false],
  ['Hello (fwd).', 'Hello (fwd).', false],
  ['[list] Hello', 'Hello', false],
  ['[list]Hello', 'Hello', false],
  ['[list] [other] Hello', 'Hello', false],
  ['[list]', '[list]', false],
  ['[a] [b]', '[b]', false],
  ['[a][b] ', '[b]', false],
  ['[] x', 'x', false],
  ['[list] Re: Hello', 'Hello', true],
  ['[a] [b] Re[3]: [c] Hello', 'Hello', true],
  ['Re: [list] Hello', 'Hello', true],
  ['Re: [list]', '[list]', true],
  ['Re: [a] Re: [b] Hello (fwd)', 'Hello', true],
  ['Fwd:Re: [list] Hello (fwd)', 'Hello', true],
  ['[Fwd: Hello]', 'Hello', true],
  ['[fwd:Hello]', 'Hello', true],
  ['[fwd: Re: Hello (fwd)] ', 'Hello', true],
  ['[Fwd: [fwd: Hello]]', 'Hello', true],
  ['[a] [Fwd: Hello]', 'Hello', true],
  ['[Fwd: [list] Re: Hello] (fwd)', 'Hello', true],
  ['Re: [Fwd: Hello]', 'Hello', true],
  ['[Fwd: ]', '', true],
  ['[Fwd:]', '', true],
  ['[Fwd: Hello', '[Fwd: Hello', false],
  ['[Fwd: Hello] more', 'more', false],
  ['[unclosed Re: Hello', '[unclosed Re: Hello', false],
  ['Re: [list Hello', '[list Hello', true],
  ['Re[a[b]]: x', 'Re[a[b]]: x', false],
  ['[a[b] x', '[a[b] x', false],
  ['a] x', 'a] x', false],
  ['AW: Hello', 'AW: Hello', false],
  ['SV: hej', 'SV: hej', false],
  ['Re^2: Hello', 'Re^2: Hello', false],
  ['Ref: Hello', 'Ref: Hello', false],
  ['fwdd: Hello', 'fwdd: Hello', false],
  ['Reply', 'Reply', false],
  ['Re', 'Re', false],
  ['Fw', 'Fw', false],
  ['Re [2]', 'Re [2]', false],
  ['Hello Re: there', 'Hello Re: there', false],
  ['Re: \u00c4rger [x]', '\u00c4rger [x]', true],
]

describe('the base subject (RFC 5256 §2.1)', () => {
  test.each(rows)('of "%s" is "%s"', (subject, text, isReply) => {
    expect(baseSubject(subject)).toEqual({ text, isReply })
  })
  test('of a base subject is itself, unless it is a blob alone or begins to look like one', () => {
    for (const [, text] of rows) expect(baseSubject(text)).toEqual({ text, isReply: false })
  })
  test.each([
    ['blobs', '[a]'.repeat(200_000), '[a]'],
    ['replies', `${'re:'.repeat(200_000)}x`, 'x'],
    ['blobs before replies', `${'[a]re[b]: '.repeat(60_000)}x`, 'x'],
    ['wrappers', `${'[fwd:'.repeat(100_000)}x${']'.repeat(100_000)}`, 'x'],
    ['trailers', `x${'(fwd) '.repeat(100_000)}`, 'x'],
    ['brackets that open', '['.repeat(600_000), '['.repeat(600_000)],
    ['replies with brackets that open', `re${'['.repeat(600_000)}`, `re${'['.repeat(600_000)}`],
  ])('costs one pass of many %s', (_name, subject, text) => {
    expect(baseSubject(subject).text).toBe(text)
  })
})
