import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { OpenFile } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { immediateCalls } from '../../../core/os/immediate.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { runSeed, SeededRandom } from '../../../core/testing/random.js'
import { writeOctetsTo } from '../../../plugins/formats/shared/fixed/octet-writes.js'
import { but } from '../../support/changed-files.js'
import { temporaryFolder } from '../../support/open-box.js'

const SIZE = 1 << 20
const spread = (from: number, count: number, apart: number): number[] => Array.from({ length: count }, (_, n) => from + n * apart)
const rows = [
  { name: 'neighbours go in one write', places: spread(100, 50, 2000), locked: true, writes: 1 },
  { name: 'more than a span in several', places: spread(0, 300, 2000), locked: true, writes: 3 },
  { name: 'those far from each other alone', places: spread(5, 20, 9000), locked: true, writes: 20 },
  { name: 'two groups in two writes, and one alone in one', places: [...spread(0, 5, 10), 50_000, ...spread(900_000, 5, 4096)], locked: true, writes: 3 },
  { name: 'fewer than four neighbours alone', places: [...spread(0, 3, 10), ...spread(100_000, 4, 10), ...spread(200_000, 2, 10)], locked: true, writes: 6 },
  { name: 'the last octet of the file too', places: spread(SIZE - 4, 4, 1), locked: true, writes: 1 },
  { name: 'each alone where others may write', places: spread(100, 50, 20), locked: false, writes: 50 },
]
/** Files of a server's event loop, and those of a thread that may wait. */
const sorts = [
  { name: 'files', files: new SystemFiles(undefined) },
  { name: 'files that write octets', files: new SystemFiles(await nativeLocks(), immediateCalls()) },
]
test.each(sorts.flatMap((sort) => rows.map((row) => ({ ...row, sort: sort.name, system: sort.files }))))(`$sort: $name (MAILWRIGHT_SEED=${runSeed})`, async ({ places, locked, writes, system }) => {
  await using folder = temporaryFolder('octets')
  const random = new SeededRandom(runSeed)
  const before = Buffer.from(Uint8Array.from({ length: SIZE }, () => random.below(256)))
  const path = join(folder.path, 'file')
  await writeFile(path, before)
  const octets = Uint8Array.from(places, () => random.below(256))
  const file = await system.open(path, { write: true })
  let done = 0
  const counted: OpenFile = but(file, {
    write: (chunks: readonly Uint8Array[], at: number) => (done++, file.write(chunks, at)),
    ...(file.writeOctets && {
      writeOctets: async (at: Float64Array, list: Uint8Array) => {
        done += at.length
        await file.writeOctets?.(at, list)
      },
    }),
  })
  await writeOctetsTo(counted, { at: Float64Array.from(places), octets }, locked)
  await file.close()
  const wanted = Buffer.from(before)
  for (const [n, at] of places.entries()) wanted[at] = octets[n] ?? 0
  expect((await readFile(path)).equals(wanted)).toBe(true)
  expect(done).toBe(writes)
})
