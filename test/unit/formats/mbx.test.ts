import { copyFileSync } from 'node:fs'
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, type Files, type OpenFile, type OpenHow } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { fixedContextOf } from '../../support/fixed.js'
import { expectedRows, goldenOf, rowsOf, sampleOf } from '../../support/golden-files.js'
import { deliver, itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'
import { never, TestClock } from '../../support/unix.js'

/** Without who wrote flags last. */
function masked(octets: Buffer): string {
  const copy = Buffer.from(octets)
  copy.fill(0, 2038, 2048)
  return copy.toString('latin1')
}
const message = (n: number, lines = 3): string => `Subject: message ${n}\r\n\r\n${`line of message ${n}\r\n`.repeat(lines)}`

describe('mbx mailboxes', () => {
  let folder = temporaryFolder('mbx')
  let files: Files
  let path = ''
  let open: OpenBox[] = []
  beforeEach(async () => {
    folder = temporaryFolder('mbx')
    path = join(folder.path, 'box')
    files = new SystemFiles(await nativeLocks())
  })
  afterEach(async () => {
    for (const box of open) await box.source.close()
    open = []
    await folder[Symbol.asyncDispose]()
  })
  const formatOf = (change = {}, over = files): FixedFormat => new FixedFormat(mbxDialect, fixedContextOf(over, folder.path, change))
  const sample = (name: string): void => copyFileSync(fileURLToPath(new URL(`../../fixtures/mbx/${name}`, import.meta.url)), path)
  async function opened(format = formatOf(), after?: OpenBox): Promise<OpenBox> {
    const box = await OpenBox.open(format, path, after)
    open.push(box)
    return box
  }
  async function filled(count: number, lines = 3): Promise<OpenBox> {
    const format = formatOf()
    await format.create(placeOf(path))
    const box = await opened(format)
    await box.refresh(true)
    await box.append(Array.from({ length: count }, (_, n) => itemOf(message(n + 1, lines))))
    return box
  }

  test('one that may only be read takes no message, also while it is open, and says so', async () => {
    const box = await filled(2)
    await box.source.close()
    open = []
    const before = await readFile(path)
    class ReadOnlyFiles extends SystemFiles {
      override open(at: string, how: OpenHow = {}): Promise<OpenFile> {
        return how.write === true && at === path ? Promise.reject(Object.assign(new Error(`EACCES: permission denied, open '${at}'`), { code: 'EACCES' })) : super.open(at, how)
      }
    }
    const reading = await opened(formatOf({}, new ReadOnlyFiles(await nativeLocks())))
    await reading.refresh()
    expect(reading.source.traits.writable).toBe(false)
    await expect(reading.append([itemOf(message(3))])).rejects.toMatchObject({ kind: 'denied' })
    expect(await readFile(path)).toEqual(before)
    // Nor does it come later, when somebody may write who finds what was to be changed.
    const writing = await opened()
    await writing.refresh(true)
    expect(writing.uids).toEqual([1, 2])
  })
  test.each(goldenOf('mbx'))('$mailbox reads as the reference reads it', async (golden) => {
    sample(golden.mailbox.slice('mbx/'.length))
    const before = await readFile(path)
    const box = await opened()
    await box.refresh()
    expect(rowsOf(await box.messages())).toEqual(expectedRows(golden))
    expect({ validity: box.table.uidValidity, last: box.table.uidNext - 1, recent: box.table.unclaimed.count, keywords: box.table.keywords.defined }).toEqual({
      validity: golden.uidvalidity, last: golden.uidlast, recent: golden.recent, keywords: golden.keywords,
    })
    // Who only looks writes nothing.
    expect(await readFile(path)).toEqual(before)
  })

  test('opening for writing leaves the file as the reference leaves it', async () => {
    sample('appended')
    const box = await opened()
    await box.refresh(true)
    expect(masked(await readFile(path))).toBe(masked(sampleOf('mbx', 'opened')))
  })

  test('messages are moved together whatever lies between them: little, much, nothing, and one that is larger than what is read at once', async () => {
    const box = await filled(0)
    // Lines of 18 octets, each message of others.
    const lines = [1, 3, 5, 2000, 7, 60_000, 9, 2, 70_000, 4, 6, 100, 8, 1]
    const texts = lines.map((count, n) => message(n + 1, count))
    await box.append(texts.map((text) => itemOf(text)))
    const gone = [2, 4, 6, 8, 12, 13]
    await box.expunge(gone, true)
    const before = (await stat(path)).size
    await box.source.reclaim?.(never)
    const kept = texts.filter((_, n) => !gone.includes(n + 1))
    expect((await box.messages()).map(({ text }) => text)).toEqual(kept)
    // And the line of each.
    expect(before - (await stat(path)).size).toBeGreaterThan(gone.reduce((sum, n) => sum + (texts[n - 1] ?? '').length, 0))
    const other = await opened(formatOf())
    await other.refresh()
    expect((await other.messages()).map(({ text }) => text)).toEqual(kept)
  })

  test('expunging while another has it open hides the message as the reference hides it', async () => {
    sample('opened')
    const [box, other] = [await opened(), await opened(formatOf())]
    await box.refresh(true)
    await other.refresh(true)
    await box.expunge([3], false)
    expect(masked(await readFile(path))).toBe(masked(sampleOf('mbx', 'hidden-expunge')))
    await box.source.reclaim?.(new AbortController().signal)
    expect((await readFile(path)).length).toBe(sampleOf('mbx', 'hidden-expunge').length)
    await other.refresh(true)
    expect(other.uids).toEqual([2, 4])
    // Alone, the room is taken back.
    await other.source.close()
    await box.refresh(true)
    await box.source.reclaim?.(new AbortController().signal)
    expect(box.uids).toEqual([2, 4])
    expect((await readFile(path)).includes('Second')).toBe(false)
    expect((await readFile(path)).length).toBeLessThan(sampleOf('mbx', 'hidden-expunge').length)
    expect(rowsOf(await box.messages())).toEqual(expectedRows(goldenOf('mbx').find((g) => g.mailbox === 'mbx/hidden-expunge')!))
  })

  test('a new mailbox and messages appended to it are those that the reference makes', async () => {
    const awkward = sampleOf('mbx', 'awkward')
    const format = formatOf({ clock: new TestClock(Number.parseInt(awkward.toString('latin1', 7, 15), 16) * 1000) })
    await format.create(placeOf(path))
    const eml = (n: number): Buffer => sampleOf('unix', `source/m${n}.eml`)
    const date = (iso: string, zone: number) => ({ date: { ms: Date.parse(iso), zone } })
    const items = [
      itemOf(eml(1), { system: SYSTEM.flagged, ...date('2015-01-05T09:08:07+01:00', 60) }),
      itemOf(eml(2), { system: SYSTEM.seen | SYSTEM.answered, ...date('2020-10-20T23:59:58-07:30', -450) }),
      itemOf(eml(3), date('2016-03-01T12:00:00Z', 0)),
      itemOf(eml(4), { system: SYSTEM.draft | SYSTEM.deleted, ...date('2000-02-01T00:00:00Z', 0) }),
    ]
    for (const item of items) await deliver(format, path, [item])
    expect(masked(await readFile(path)).replaceAll(/-0000000\d\r\n/g, '-........\r\n').slice(25)).toBe(masked(awkward).replaceAll(/-0000000\d\r\n/g, '-........\r\n').slice(25))
    const box = await opened(format)
    await box.refresh()
    expect(rowsOf(await box.messages())).toEqual(expectedRows(goldenOf('mbx').find((g) => g.mailbox === 'mbx/awkward')!))
  })

  test('a message that nobody numbered gets its number from the first who may write, and keeps it', async () => {
    const box = await filled(1)
    await appendFile(path, `23-Nov-2026 01:42:08 +0000,16;000000000001-00000000\r\nSubject: x\r\n\r\nx\r`)
    await box.refresh()
    expect(box.uids).toEqual([1, 2])
    expect((await readFile(path)).includes('000000000001-00000000')).toBe(true)
    await box.refresh(true)
    expect((await readFile(path)).includes('000000000011-00000002')).toBe(true)
    expect((await readFile(path)).toString('latin1', 15, 23)).toBe('00000002')
  })

  test('a change of one message reads and writes a few octets, however large the mailbox is', async () => {
    const written: number[] = []
    let read = 0
    const counting = (file: OpenFile): OpenFile =>
      new Proxy(file, {
        get(target, key) {
          if (key === 'read') return async (into: Uint8Array, at: number) => {
            const n = await target.read(into, at)
            read += n
            return n
          }
          if (key === 'write') return (chunks: readonly Uint8Array[], at: number) => {
            written.push(chunks.reduce((sum, c) => sum + c.length, 0))
            return target.write(chunks, at)
          }
          const value: unknown = Reflect.get(target, key)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    const watched = new Proxy(files, {
      get(target, key) {
        if (key === 'open') return async (...args: Parameters<Files['open']>) => counting(await target.open(...args))
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const first = await filled(2000)
    await first.source.close()
    const format = formatOf({}, watched)
    const box = await opened(format)
    await box.refresh(true)
    // After a restart with the rows of last time nothing is parsed.
    await box.source.close()
    read = 0
    const again = await opened(format, box)
    await again.refresh(true)
    expect(read).toBeLessThan(3 * 2048)
    expect(again.uids.length).toBe(2000)
    for (const [what, change] of [
      ['a flag', () => again.store([1000], { system: SYSTEM.seen })],
      ['an expunge', () => again.expunge([1001])],
      ['a look', () => again.refresh(true)],
    ] as const) {
      written.length = 0
      read = 0
      await change()
      expect({ what, written: written.reduce((a, b) => a + b, 0) < 20, read: read < 5000 }).toEqual({ what, written: true, read: true })
    }
    // What was appended meanwhile is all that is read of the file then.
    await deliver(formatOf(), path, [itemOf(message(9999))])
    read = 0
    await again.refresh(true)
    expect(again.uids.at(-1)).toBe(2001)
    expect(read).toBeLessThan(10_000)
  })

  test('thirty keywords are kept by name and bit; others are none', async () => {
    const box = await filled(2)
    const words = Array.from({ length: 40 }, (_, n) => `word${n}`)
    await box.store([1], { keywords: words.slice(0, 25) })
    await box.store([2], { keywords: words.slice(20) })
    const [one, two] = await box.messages()
    expect([one?.keywords, two?.keywords]).toEqual([words.slice(0, 25), words.slice(20, 30)])
    expect(box.table.keywords).toEqual({ defined: words.slice(0, 30), canCreate: false })
    const other = await opened(formatOf())
    await other.refresh()
    expect(await other.messages()).toEqual(await box.messages())
  })

  const broken = [
    { name: 'a line without end', at: 'line', text: 'x'.repeat(64), says: /^Unable to find CRLF at 2048 in 64 bytes, text: x+$/ },
    { name: 'a line without comma', at: 'line', text: ' 5-Jan-2015 09:08:07 +0100;17;000000000000-00000001\r\n', says: /^Unable to parse internal header at 2048: / },
    { name: 'flags that are none', at: 'line', text: ' 5-Jan-2015 09:08:07 +0100,17;00000000000g-00000001\r\n', says: /^Unable to parse message flags at 2048: / },
    { name: 'a UID that is none', at: 'line', text: ' 5-Jan-2015 09:08:07 +0100,17;000000000000-0000000x\r\n', says: /^Unable to parse message UID at 2048: / },
    { name: 'no size', at: 'line', text: ' 5-Jan-2015 09:08:07 +0100,0;000000000000-00000001\r\n', says: /^Unable to parse message size at 2048: / },
    { name: 'no date', at: 'line', text: '35-Jan-2015 09:08:07 +0100,17;000000000000-00000001\r\n', says: /^Unable to parse message date at 2048: / },
    { name: 'a message that ends behind the file', at: 'line', text: ' 5-Jan-2015 09:08:07 +0100,99999;000000000000-00000001\r\n', says: /^Last message \(at 2048\) runs past end of file \(\d+ > \d+\)$/ },
  ]
  test.each(broken)('$name is told with its place; all other messages are shown, and nothing is written', async ({ text, says }) => {
    const box = await filled(3)
    await box.source.close()
    const octets = await readFile(path)
    const line = octets.indexOf('\r\n', 2048) + 2 - 2048
    const damaged = Buffer.concat([octets.subarray(0, 2048), Buffer.from(text, 'latin1'), octets.subarray(2048 + line)])
    await writeFile(path, damaged)
    const now = await opened(formatOf())
    await now.refresh(true)
    expect(now.notices).toEqual([{ severity: 'warning', text: expect.stringMatching(says) as unknown as string }])
    const shown = (await now.messages()).map((m) => m.text)
    expect(shown).toEqual(expect.arrayContaining([message(2), message(3)]))
    for (const change of [() => now.store([2], { system: SYSTEM.seen }), () => now.expunge([2]), () => now.append([itemOf(message(4))])]) await expect(change()).rejects.toMatchObject({ kind: 'corrupt' })
    await expect(deliver(formatOf(), path, [itemOf(message(4))])).rejects.toMatchObject({ kind: 'corrupt' })
    expect(await readFile(path)).toEqual(damaged)
  })

  test('numbers that do not ascend are told, and all that follow are given anew under another UIDVALIDITY', async () => {
    const box = await filled(3)
    await box.source.close()
    const octets = (await readFile(path)).toString('latin1').replace('-00000002\r\n', '-00000009\r\n')
    await writeFile(path, octets, 'latin1')
    const now = await opened(formatOf({ clock: new TestClock(Date.now() + 100_000) }))
    await now.refresh(true)
    expect(now.notices).toEqual([{ severity: 'warning', text: 'Invalid UID 00000009 in message 2, rebuilding UIDs' }])
    expect({ uids: now.uids, changed: now.table.uidValidity > box.table.uidValidity }).toEqual({ uids: [1, 2, 3], changed: true })
    const again = await opened(formatOf())
    await again.refresh()
    expect({ uids: again.uids, validity: again.table.uidValidity, notices: again.notices }).toEqual({ uids: [1, 2, 3], validity: now.table.uidValidity, notices: [] })
  })

  test('a file that is no mailbox is not taken for one', async () => {
    sample('opened')
    const format = formatOf()
    expect(await format.recognise(placeOf(path))).toBe('mine')
    await writeFile(path, sampleOf('mbx', 'fresh').subarray(0, 2047))
    expect(await formatOf().recognise(placeOf(path))).toBe('not-mine')
    await writeFile(path, Buffer.concat([Buffer.from('*mbx*\r\n0123456x'), Buffer.alloc(3000)]))
    expect(await formatOf().recognise(placeOf(path))).toBe('not-mine')
    await writeFile(path, '')
    expect(await formatOf().recognise(placeOf(path))).toBe('empty')
  })

  test('a look without taking leaves the times of new mail; taking it, and only that, makes it look read', async () => {
    const format = formatOf()
    await format.create(placeOf(path))
    await deliver(format, path, [itemOf(message(1))])
    const came = await stat(path)
    expect(came.atimeMs).toBeLessThan(came.ctimeMs)
    const box = await opened(formatOf({ clock: new TestClock(Date.now() + 5000) }))
    await box.refresh()
    await box.messages()
    expect((await stat(path)).atimeMs).toBe(came.atimeMs)
    await box.refresh(true)
    expect((await stat(path)).atimeMs).toBeGreaterThanOrEqual((await stat(path)).ctimeMs)
  })

  test('a mailbox that another process has open is neither removed nor renamed', async () => {
    const box = await filled(1)
    const other = formatOf()
    await expect(other.remove(placeOf(path))).rejects.toMatchObject({ kind: 'in-use' })
    await expect(other.rename(placeOf(path), placeOf(`${path}2`))).rejects.toMatchObject({ kind: 'in-use' })
    // Its own process may.
    await (box.format as FixedFormat).rename(placeOf(path), placeOf(`${path}2`))
    await other.remove(placeOf(`${path}2`))
    await expect(stat(`${path}2`)).rejects.toThrow('ENOENT')
  })
})
