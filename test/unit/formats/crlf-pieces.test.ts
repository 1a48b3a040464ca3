import { expect, test } from 'vitest'
import { CutBytes } from '../../../plugins/formats/shared/fixed/bytes.js'
import { TEXT_BEGIN, readWithCrlf } from '../../../plugins/formats/shared/crlf-pieces.js'
import type { Readable } from '../../../plugins/formats/shared/fixed/readable.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { bytesFile } from '../../support/formats.js'

const signal = new AbortController().signal
/** Lines of this many octets, each with its number. */
const linesOf = (octets: number, length: number): string => Array.from({ length: octets / length }, (_, n) => `${String(n).padStart(length - 1, '-')}\n`).join('')
const withCrlf = (text: string): Buffer => Buffer.from(text.replaceAll('\n', '\r\n'))

test.each([
  { name: 'in order', steps: [0, 1, 2, 3, 4, 5, 6] },
  { name: 'back and forth', steps: [4, 1, 6, 0, 5] },
])('pieces of a stored text are those of the text with CRLF, $name', async ({ steps }) => {
  const text = `${linesOf(600_000, 50)}with\rCR and no end`
  const expected = withCrlf(text.replaceAll('\r', ''))
  // A file may give less than was asked for; a CRLF may be cut by the end of a piece.
  for (const step of [997, 1 << 30]) {
    const file = bytesFile(Buffer.from(`before${text}behind`), step)
    let known = TEXT_BEGIN
    for (const n of steps) {
      const into = Buffer.alloc(100_001)
      const { got, place } = await readWithCrlf({ file, from: 6, length: text.length }, known, n * into.length, into, signal)
      known = place
      expect(into.subarray(0, got).equals(expected.subarray(n * into.length, (n + 1) * into.length))).toBe(true)
    }
  }
})

test('a long message that is moved while it is read has its own octets: where the text was when another stood there counts for nothing', async () => {
  const [line, at] = [' 5-Jan-2015 09:08:07 +0100,600000;000000000000\n', 550_000]
  const [text, other] = [linesOf(600_000, 1000), '\n'.repeat(600_000)]
  let epoch = 0
  const place = { uid: 1, offset: 0, line: line.length, stored: text.length, header: 0, size: withCrlf(text).length, form: 0 }
  const looks: string[] = []
  const box: Readable = {
    dialect: tenexDialect,
    place: () => place,
    epoch: () => epoch,
    settled: () => Promise.resolve(),
    cameMs: () => undefined,
    relocate: () => Promise.resolve(undefined),
    async using(work) {
      const now = looks.length === 0 ? other : text
      looks.push(now === text ? 'itself' : 'another')
      const done = await work(bytesFile(Buffer.from(`${line}${now}`)))
      if (now === other) epoch += 2
      return done
    },
  }
  const into = Buffer.alloc(5000)
  expect(await new CutBytes(box, 1, place.size, Buffer.alloc(0)).read(at, into, signal)).toBe(into.length)
  expect(looks).toEqual(['another', 'itself'])
  expect(into.toString()).toBe(withCrlf(text).toString('latin1', at, at + into.length))
})
