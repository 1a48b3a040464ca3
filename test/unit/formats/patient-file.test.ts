import { describe, expect, test } from 'vitest'
import type { FilePlace } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { longestAscending } from '../../../plugins/formats/shared/ascending.js'
import { PatientFile } from '../../../plugins/formats/shared/patient-file.js'
import { examineText } from '../../../plugins/formats/shared/text/examine.js'
import { unixDialect } from '../../../plugins/formats/shared/text/dialect.js'
import { withBadOctets } from '../../support/bad-disk.js'
import { bytesFile } from '../../support/formats.js'
import { alice } from '../../support/unix.js'

const { signal } = new AbortController()

describe('a file with octets that cannot be read', () => {
  const octets = Buffer.from(Array.from({ length: 20_000 }, (_, i) => 97 + (i % 26)))
  const blanked = Buffer.from(octets)
  blanked.fill(32, 4096, 12_288)
  test('blanks stand in their place, and each block is asked for once', async () => {
    const asked: (readonly [number, number])[] = []
    const file = new PatientFile(withBadOctets(bytesFile(octets), 5000, 9000, (from, to) => asked.push([from, to])), octets.length)
    const into = Buffer.alloc(30_000)
    expect(await file.read(into, 0)).toBe(20_000)
    expect(into.subarray(0, 20_000)).toEqual(blanked)
    expect(file.news()).toEqual([{ from: 4096, to: 12_288, reason: 'EIO: i/o error, read' }])
    asked.length = 0
    const part = Buffer.alloc(8000)
    expect(await file.read(part, 3000)).toBe(8000)
    expect(part).toEqual(blanked.subarray(3000, 11_000))
    expect(asked).toEqual([[3000, 4096]])
    expect(file.news()).toEqual([])
  })
  test('behind the end there is nothing', async () => {
    const file = new PatientFile(withBadOctets(bytesFile(octets), 19_000, 20_000), octets.length)
    expect(await file.read(Buffer.alloc(10), 20_000)).toBe(0)
    expect(await file.read(Buffer.alloc(1000), 19_500)).toBe(500)
  })
  test('other failures are not those of a disk', async () => {
    const file = new PatientFile({ read: () => Promise.reject(Object.assign(new Error('EBADF'), { code: 'EBADF' })) }, 10)
    await expect(file.read(Buffer.alloc(10), 0)).rejects.toThrow('EBADF')
  })
})

test('a look for damage in a unix mailbox holds no message whole', async () => {
  const line = `${'x'.repeat(70)}\r\n`
  const large = `Subject: large\r\n\r\n${line.repeat(100_000)}`
  const text = `From a@example.org Mon Jan  5 09:08:07 2015\nX-UID: 1\n${large.replaceAll('\r', '')}\nFrom b@example.org Mon Jan  5 09:08:07 2015\r\nSubject: small\r\n\r\nb\r\n\r\n`
  let most = 0
  const file = bytesFile(Buffer.from(text))
  const files = new SystemFiles(undefined)
  Object.assign(files, {
    stat: () => file.stat(),
    open: async () => ({ ...file, read: (into: Uint8Array, at: number) => ((most = Math.max(most, into.length)), file.read(into, at)) }),
  })
  const place: FilePlace = { path: '/box', user: alice, fileMode: 0o600, directoryMode: 0o700 }
  const found: string[] = []
  for await (const one of examineText(place, { dialect: unixDialect, files }, signal)) {
    if (one.kind !== 'message') throw new Error(`${one.kind} in a mailbox that is whole and has no numbers`)
    const pieces: Uint8Array[] = []
    for await (const piece of one.bytes) pieces.push(piece)
    most = Math.max(most, ...pieces.map((p) => p.length))
    found.push(Buffer.concat(pieces).toString('latin1'))
    expect(found.at(-1)?.length).toBe(one.size)
  }
  expect(found.map((t) => t.slice(0, 30))).toEqual([large.slice(0, 30), 'Subject: small\r\n\r\nb\r\n'])
  expect(found[0] === large).toBe(true)
  expect(most).toBeLessThanOrEqual(2 << 20)
})

const lists = [
  { name: 'an ascending list is whole', numbers: [1, 2, 5, 9], kept: [0, 1, 2, 3] },
  { name: 'one that is too large goes', numbers: [1, 2, 900, 3, 4], kept: [0, 1, 3, 4] },
  { name: 'one that is too small goes', numbers: [5, 6, 1, 7], kept: [0, 1, 3] },
  { name: 'of equal ones one stays', numbers: [3, 3, 4], kept: [1, 2] },
  { name: 'nothing of nothing', numbers: [], kept: [] },
]
test.each(lists)('the longest ascending choice: $name', ({ numbers, kept }) => {
  expect(longestAscending(numbers)).toEqual(kept)
})
