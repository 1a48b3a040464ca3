import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { runSeed, SeededRandom } from '../../../core/testing/random.js'
import { changesIn, PROOF, proofLength, proofOf, readRecords, recordOf, RECORDS, type OctetChanges } from '../../../plugins/formats/shared/changes/ahead-format.js'

const random = new SeededRandom(runSeed)
const octets = (count: number): Buffer => Buffer.from(Uint8Array.from({ length: count }, () => random.below(256)))
function changesOf(count: number, tail: number): OctetChanges {
  let place = 0
  return {
    at: Float64Array.from({ length: count }, () => (place += 1 + random.below(0xffff_fffe))),
    old: octets(count), octets: octets(count), back: octets(count),
    proof: Uint32Array.from({ length: count }, () => random.below(0x1_0000_0000)),
    tail,
  }
}
const plain = ({ at, old, octets: fresh, back, proof, tail }: OctetChanges): unknown => ({ at: [...at], old: [...old], octets: [...fresh], back: [...back], proof: [...proof], tail })

test.each([0, 9])(`a proof is the check sum of what stands around twelve digits (%i octets behind them, MAILWRIGHT_SEED=${runSeed})`, (tail) => {
  for (let start = 0; start < 50; start++) {
    const line = octets(start + proofLength(tail))
    const kept = Buffer.concat([line.subarray(start, start + PROOF), line.subarray(start + proofLength(0))])
    expect(proofOf(line, start, tail)).toBe(crc32(kept))
  }
})
test(`records are read as they were written, up to one that is torn (MAILWRIGHT_SEED=${runSeed})`, () => {
  const nonce = random.below(0x1_0000_0000)
  const written = [changesOf(1, 9), changesOf(300, 0), changesOf(7, 9)]
  const records = written.map((changes, n) => recordOf(nonce, 1e12 + n, changes))
  const parts = records.map((record) => record?.octets ?? Buffer.alloc(0))
  const log = Buffer.concat([Buffer.alloc(RECORDS), ...parts, Buffer.alloc(100)])
  const read = readRecords(log, nonce)
  expect(read.records.map(({ atMs }) => atMs)).toEqual([1e12, 1e12 + 1, 1e12 + 2])
  expect(read.records.map((record) => plain(changesIn(record)))).toEqual(written.map(plain))
  expect(read.end).toBe(log.length - 100)
  log[read.end - 1] = (log[read.end - 1] ?? 0) ^ 1
  expect(readRecords(log, nonce).records).toHaveLength(2)
  expect(readRecords(log, (nonce ^ 1) >>> 0).records).toHaveLength(0)
})
test('places too far from each other are refused', () => {
  expect(recordOf(1, 0, { ...changesOf(2, 0), at: Float64Array.of(5, 5 + 2 ** 32) })).toBeUndefined()
})
