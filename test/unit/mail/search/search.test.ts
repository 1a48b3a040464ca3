import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SYSTEM, uids } from '../../../../core/api/index.js'
import type { SearchAbility, SearchTerm } from '../../../../core/api/index.js'
import { envelopeTest } from '../../../../core/mail/search/envelope-test.js'
import { TextPattern } from '../../../../core/mail/search/pattern.js'
import { writeEnvelope } from '../../../../core/mime/envelope.js'
import { address, and, body, find, header, not, or, whole } from './fixture.js'
import type { FakeMessage } from './fixture.js'

const day = (text: string): number => Date.parse(`${text}T00:00:00Z`) / 86_400_000
const messages: FakeMessage[] = [
  { text: 'From: alice@example.org\nSubject: one\nDate: Mon, 1 Jan 2024 23:30:00 -0500\n\nred apple\n', system: SYSTEM.seen, size: 100, date: '2024-01-01T23:30:00Z', zone: 60, modseq: 5 },
  { text: 'From: bob@example.org\nSubject: two\nDate: garbage\n\nred pear\n', system: SYSTEM.seen | SYSTEM.flagged, keywords: ['$Label1'], size: 200, date: '2024-01-01T12:00:00Z', modseq: 9 },
  { text: 'From: alice@example.org\nSubject: three\n\ngreen apple\n', recent: true, size: 300, date: '2023-12-31T00:00:00Z', modseq: 7 },
]
const flag = (system: number): SearchTerm => ({ kind: 'flag', system })

const rows: { name: string; term: SearchTerm; expected: number[] }[] = [
  { name: 'nothing asked: all', term: and(), expected: [1, 2, 3] },
  { name: 'nothing to choose from: none', term: or(), expected: [] },
  { name: 'flag', term: flag(SYSTEM.seen), expected: [1, 2] },
  { name: 'two flags', term: flag(SYSTEM.seen | SYSTEM.flagged), expected: [2] },
  { name: 'not a flag', term: not(flag(SYSTEM.seen)), expected: [3] },
  { name: 'keyword, any case', term: { kind: 'flag', keyword: '$LABEL1' }, expected: [2] },
  { name: 'undefined keyword', term: not({ kind: 'flag', keyword: 'nope' }), expected: [1, 2, 3] },
  { name: 'recent', term: { kind: 'flag', recent: true }, expected: [3] },
  { name: 'old', term: { kind: 'flag', recent: false }, expected: [1, 2] },
  { name: 'larger excludes the number', term: { kind: 'size', above: 200 }, expected: [3] },
  { name: 'smaller excludes the number', term: { kind: 'size', below: 200 }, expected: [1] },
  { name: 'modseq', term: { kind: 'modseq', above: 6 }, expected: [2, 3] },
  { name: 'uids', term: { kind: 'uids', set: uids.from([10, 15, 30]) }, expected: [1, 3] },
  { name: 'internal date in its own zone (RFC 3501 §6.4.4)', term: { kind: 'day', of: 'internal', from: day('2024-01-02') }, expected: [1] },
  { name: 'internal date, on', term: { kind: 'day', of: 'internal', from: day('2024-01-01'), before: day('2024-01-02') }, expected: [2] },
  { name: 'internal date, before', term: { kind: 'day', of: 'internal', before: day('2024-01-01') }, expected: [3] },
  { name: 'sent, as written; without a date never', term: { kind: 'day', of: 'sent', from: day('2024-01-01'), before: day('2024-01-02') }, expected: [1] },
  { name: 'not sent', term: not({ kind: 'day', of: 'sent', from: day('2024-01-01') }), expected: [2, 3] },
  { name: 'saved is internal where nothing is known', term: { kind: 'day', of: 'saved', before: day('2024-01-01') }, expected: [3] },
  { name: 'older and younger include the second', term: { kind: 'age', olderS: 43_200, youngerS: 43_200 }, expected: [2] },
  { name: 'and of all kinds', term: and(body('apple'), address('from', 'alice'), flag(SYSTEM.seen)), expected: [1] },
  { name: 'or of all kinds', term: or(body('pear'), header('subject', 'three'), flag(SYSTEM.draft)), expected: [2, 3] },
  { name: 'not of or', term: not(or(body('pear'), header('subject', 'three'))), expected: [1] },
  { name: 'nested', term: and(or(body('red'), body('green')), not(and(body('apple'), address('from', 'alice'), flag(SYSTEM.seen)))), expected: [2, 3] },
  {
    name: 'custom, late or at once',
    term: and({ kind: 'custom', key: { name: 'X' }, args: undefined, wants: { bytes: 'none', sections: [], facts: [] }, matches: (m) => m.uid > 10 }, {
      kind: 'custom', key: { name: 'Y' }, args: undefined, wants: { bytes: 'header', sections: [], facts: [] }, matches: (m) => Promise.resolve(m.uid < 30),
    }),
    expected: [2],
  },
]

describe('search', () => {
  test.each(rows)('$name', async ({ term, expected }) => {
    expect((await find(messages, term)).found).toEqual(expected)
    expect((await find(messages, term, { cached: true, inline: false })).found).toEqual(expected)
  })

  test('columns answer without a message', async () => {
    const { asked } = await find(messages, and(flag(SYSTEM.seen), { kind: 'size', above: 1 }, { kind: 'day', of: 'internal', from: 0 }))
    expect(asked.reads).toEqual([])
  })
  test('dear terms see only what cheap ones left, and each message once', async () => {
    const { asked } = await find(messages, and(whole('apple'), body('red'), flag(SYSTEM.seen | SYSTEM.flagged)))
    expect(asked.reads).toEqual([{ uids: [2], bytes: 'whole' }])
    const either = await find(messages, or(body('apple'), body('pear'), flag(SYSTEM.flagged)))
    expect(either.asked.reads).toEqual([{ uids: [1, 3], bytes: 'whole' }])
  })
  test('envelopes come from the cache, and what was missing is put there', async () => {
    const cache = new Map<number, Uint8Array>([[10, writeEnvelope(Buffer.from('From: carol@example.org\r\n\r\n'))]])
    const { found, asked } = await find(messages, address('from', 'carol'), { cached: true, cache })
    expect([found, asked.reads, [...cache.keys()]]).toEqual([[1], [{ uids: [2, 3], bytes: 'header' }], [10, 20, 30]])
  })
  test('messages that are gone are left out', async () => {
    const some = messages.map((m, i) => ({ ...m, gone: i === 0 }))
    expect((await find(some, body('red'))).found).toEqual([2])
    expect((await find(some, address('from', 'alice'))).found).toEqual([3])
  })

  test('what the source can search it searches; a superset is tested', async () => {
    const runs: { term: SearchTerm; within: readonly number[] }[] = []
    const ability = (answer: 'exact' | 'superset', hits: number[]): SearchAbility => ({
      can: (term) => (term.kind === 'text' && term.in === 'body' ? answer : undefined),
      run: (term, within) => {
        runs.push({ term, within: [10, 20, 30].filter((uid) => within.has(uid)) })
        return Promise.resolve(uids.from(hits))
      },
    })
    const term = and(body('zzz'), flag(SYSTEM.seen))
    expect((await find(messages, term, { ability: ability('exact', [20, 30]) })).found).toEqual([2])
    expect(runs).toEqual([{ term: body('zzz'), within: [10, 20] }])
    expect((await find(messages, body('apple'), { ability: ability('superset', [10, 20]) })).found).toEqual([1])
    expect((await find(messages, not(body('apple')), { ability: ability('superset', [10, 20, 30]) })).found).toEqual([2])
  })

  test('the signal stops it', async () => {
    const controller = new AbortController()
    controller.abort(new Error('enough'))
    await expect(find(messages, body('red'), { signal: controller.signal })).rejects.toThrow('enough')
  })
  test('others get their turn during a long search', async () => {
    const big = 'a line of some length that does not match anything at all\n'.repeat(10_000)
    const many = Array.from({ length: 40 }, () => ({ text: `Subject: x\n\n\xc3\xa9${big}` }))
    let turns = 0
    let running = true
    const count = (): void => {
      turns++
      if (running) setImmediate(count)
    }
    setImmediate(count)
    await find(many, body('absent'))
    running = false
    expect(turns).toBeGreaterThan(0)
  })

  test('octet search agrees with the plain one', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'A', 'B', '1', '[', '{', '@', '`', '\r\n'), maxLength: 40 })
    fc.assert(
      fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'B', '1', '[', '@'), maxLength: 5 }), (hay, needle) => {
        const octets = Buffer.from(`--${hay}--`)
        expect(new TextPattern(needle).inOctets(octets, 2, octets.length - 2)).toBe(hay.toUpperCase().includes(needle.toUpperCase()))
      }),
      { numRuns: 2000 },
    )
  })
  test('addresses are found as they are written out, whatever stands in their names', () => {
    /** A name as it stands in quotes, and what it says. */
    const name = fc.oneof(
      fc.array(fc.constantFrom('a', 'B', '1', ' ', '.', ',', '{', '=', '?', String.raw`\"`, String.raw`\\`), { minLength: 1, maxLength: 6 }).map((parts) => ({ quoted: `x${parts.join('')}x`, said: `x${parts.map((c) => c.slice(-1)).join('')}x` })),
      fc.constant({ quoted: '=?UTF-8?Q?=61B=31?=', said: 'aB1' }),
      fc.constant(undefined),
    )
    const one = fc.record({ name, box: fc.constantFrom('a', 'b1', 'a.b'), host: fc.constantFrom('b', 'a1.b') })
    const needle = fc.string({ unit: fc.constantFrom('a', 'B', '1', '.', '@', ' ', '<', 'x', 'N', '"'), minLength: 1, maxLength: 4 })
    const written = ({ said, at }: { readonly said: string | undefined; readonly at: string }): string =>
      said === undefined ? at : `${/[()<>@,;:\\".[\]]/.test(said) ? `"${said}"` : said} <${at}>`
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 3 }), needle, (list, wanted) => {
        const text = list.map(({ name: n, box, host }) => (n === undefined ? `${box}@${host}` : `"${n.quoted}" <${box}@${host}>`)).join(', ')
        const said = list.map(({ name: n, box, host }) => written({ said: n?.said, at: `${box}@${host}` })).join(',')
        const wire = writeEnvelope(Buffer.from(`From: nobody@example.org\r\nTo: ${text}\r\n\r\n`))
        expect({ text, found: envelopeTest(address('to', wanted))?.(wire) }).toEqual({ text, found: said.toUpperCase().includes(wanted.toUpperCase()) })
      }),
      { numRuns: 3000 },
    )
  })
})
