import { expect, test } from 'vitest'
import { OctetFinder } from '../../../core/mime/octet-finder.js'

const rows = [
  { name: 'letters match in either case', wanted: 'From ALICE', text: 'x from alice y', found: true },
  { name: 'the last octet missing', wanted: 'alice', text: 'say alic', found: false },
  { name: 'a beginning that begins again', wanted: 'aab', text: 'xaaab', found: true },
  { name: 'other octets have no case', wanted: '\xc0', text: 'a\xe0b', found: false },
  { name: 'braces are no letters', wanted: '[', text: '{', found: false },
  { name: 'nothing is everywhere', wanted: '', text: '', found: true },
  { name: 'no octets hold nothing but nothing', wanted: 'a', text: '', found: false },
]
test.each(rows)('$name, in one piece and in any two and octet by octet', ({ wanted, text, found }) => {
  const octets = Buffer.from(text, 'latin1')
  const ways = [[octets], [...octets].map((o) => Uint8Array.of(o)), ...[...octets].map((_, cut) => [octets.subarray(0, cut), octets.subarray(cut)])]
  for (const pieces of ways) {
    const finder = new OctetFinder(Buffer.from(wanted, 'latin1'))
    for (const piece of pieces) finder.feed(piece)
    expect(finder.found).toBe(found)
  }
})
