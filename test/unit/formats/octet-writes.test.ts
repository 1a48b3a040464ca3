import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { runSeed, SeededRandom } from '../../../core/testing/random.js'
import { writeOctetsTo } from '../../../plugins/formats/shared/fixed/octet-writes.js'
import { countingFiles } from '../../support/counting-files.js'
import { temporaryFolder } from '../../support/open-box.js'

const SIZE = 1 << 20
const spread = (from: number, count: number, apart: number): number[] => Array.from({ length: count }, (_, n) => from + n * apart)
const rows = [
  { name: 'neighbours go in one write', places: spread(100, 50, 2000), locked: true, writes: 1 },
  { name: 'more than a span in several', places: spread(0, 300, 2000), locked: true, writes: 3 },
  { name: 'those far from each other alone', places: spread(5, 20, 5000), locked: true, writes: 20 },
  { name: 'two groups in two writes, and one alone in one', places: [...spread(0, 5, 10), 50_000, ...spread(900_000, 5, 4096)], locked: true, writes: 3 },
  { name: 'the last octet of the file too', places: [SIZE - 2, SIZE - 1], locked: true, writes: 1 },
  { name: 'each alone where others may write', places: spread(100, 50, 20), locked: false, writes: 50 },
]
test.each(rows)(`$name (MAILWRIGHT_SEED=${runSeed})`, async ({ places, locked, writes }) => {
  await using folder = temporaryFolder('octets')
  const random = new SeededRandom(runSeed)
  const before = Buffer.from(Uint8Array.from({ length: SIZE }, () => random.below(256)))
  const path = join(folder.path, 'file')
  await writeFile(path, before)
  const octets = Uint8Array.from(places, () => random.below(256))
  let done = 0
  const { files } = countingFiles(new SystemFiles(undefined))
  const file = await files.open(path, { write: true })
  const write = file.write.bind(file)
  await writeOctetsTo({ ...file, write: (chunks, at) => (done++, write(chunks, at)) }, { at: Float64Array.from(places), octets }, locked)
  await file.close()
  const wanted = Buffer.from(before)
  for (const [n, at] of places.entries()) wanted[at] = octets[n] ?? 0
  expect((await readFile(path)).equals(wanted)).toBe(true)
  expect(done).toBe(writes)
})
