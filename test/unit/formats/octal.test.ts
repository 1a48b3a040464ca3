import { copyFileSync } from 'node:fs'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, type FileLane, type Files } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { mtxDialect } from '../../../plugins/formats/mtx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { tenexDialect } from '../../../plugins/formats/tenex/dialect.js'
import { fixedContextOf } from '../../support/fixed.js'
import { FullDisk } from '../../support/full-disk.js'
import { expectedRows, goldenOf, rowsOf, sampleOf } from '../../support/golden-files.js'
import { deliver, itemOf, OpenBox, placeOf, temporaryFolder } from '../../support/open-box.js'
import { mailboxSettings, never, TestClock } from '../../support/unix.js'

const KEYWORDS = ['$Label1', 'NonJunk']
const message = (n: number): string => `Subject: message ${n}\r\n\r\ntext of message ${n}\r\n`
const dialects = [
  { name: 'mtx', dialect: mtxDialect, end: '\r\n', lineless: /^Unable to find CRLF at \d+ in 64 bytes, text: / },
  { name: 'tenex', dialect: tenexDialect, end: '\n', lineless: /^Unable to find newline at \d+ in 64 bytes, text: / },
] as const

describe.each(dialects)('$name mailboxes', ({ name, dialect, end, lineless }) => {
  let folder = temporaryFolder(name)
  let files: Files
  let path = ''
  let open: OpenBox[] = []
  beforeEach(async () => {
    folder = temporaryFolder(name)
    path = join(folder.path, 'box')
    files = new SystemFiles(await nativeLocks())
  })
  afterEach(async () => {
    for (const box of open) await box.source.close()
    open = []
    await folder[Symbol.asyncDispose]()
  })
  const formatOf = (change = {}): FixedFormat =>
    new FixedFormat(dialect, fixedContextOf(files, folder.path, { mailbox: { ...mailboxSettings(`${folder.path}/state`), defaultKeywords: KEYWORDS }, ...change }))
  const sample = (which: string): void => copyFileSync(fileURLToPath(new URL(`../../fixtures/${name}/${which}`, import.meta.url)), path)
  async function opened(format = formatOf(), after?: OpenBox): Promise<OpenBox> {
    const box = await OpenBox.open(format, path, after)
    open.push(box)
    return box
  }
  async function filled(count: number, format = formatOf()): Promise<OpenBox> {
    await format.create(placeOf(path))
    const box = await opened(format)
    await box.refresh(true)
    await box.append(Array.from({ length: count }, (_, n) => itemOf(message(n + 1))))
    return box
  }

  test.each(goldenOf(name))('$mailbox reads as the reference reads it', async (golden) => {
    sample(golden.mailbox.slice(name.length + 1))
    const before = await readFile(path)
    const box = await opened()
    await box.refresh()
    // The samples were read without names of keywords, but for those that are about them.
    const named = golden.keywords.length > 0
    expect(rowsOf(await box.messages()).map((row) => (named ? row : { ...row, keywords: [] }))).toEqual(expectedRows(golden))
    expect(box.table.unclaimed.count).toBe(golden.recent)
    expect(await readFile(path)).toEqual(before)
  })

  test('opening for writing leaves the file as the reference leaves it', async () => {
    sample('appended')
    const box = await opened()
    await box.refresh(true)
    expect((await readFile(path)).toString('latin1')).toBe(sampleOf(name, 'opened').toString('latin1'))
  })

  test('the first opening of a large mailbox, which marks each message as seen to come, waits for a thread that writes', async () => {
    const record = ` 5-Jan-2015 09:08:07 +0100,3;000000000000${end}a:${end.at(-1)}`
    await writeFile(path, record.repeat(1200), 'latin1')
    const tasks: { long: boolean; octets: number }[] = []
    const tools = { files, clock: new TestClock(Date.now()), random: (n: number): Uint8Array => new Uint8Array(n) }
    const lane: FileLane = {
      run(task, args) {
        // Nothing else is handed over before the mailbox is known.
        tasks.push({ long: task.long === true, octets: (args as { readonly at: Float64Array }).at.length })
        return task.run(tools, args)
      },
    }
    const box = await opened(formatOf({ lane }))
    await box.refresh(true)
    expect(tasks).toEqual([{ long: true, octets: 1200 }])
    expect(await readFile(path, 'latin1')).toBe(record.replace('000000000000', '000000000020').repeat(1200))
  })

  test('messages appended are those that the reference makes', async () => {
    const format = formatOf()
    await format.create(placeOf(path))
    expect(await readFile(path)).toEqual(sampleOf(name, 'fresh'))
    const eml = (n: number): Buffer => sampleOf('unix', `source/m${n}.eml`)
    const date = (iso: string, zone: number) => ({ date: { ms: Date.parse(iso), zone } })
    const items = [
      itemOf(eml(1), { system: SYSTEM.flagged, ...date('2015-01-05T09:08:07+01:00', 60) }),
      itemOf(eml(2), { system: SYSTEM.seen | SYSTEM.answered, ...date('2020-10-20T23:59:58-07:30', -450) }),
      itemOf(eml(3), date('2016-03-01T12:00:00Z', 0)),
      itemOf(eml(4), { system: SYSTEM.draft | SYSTEM.deleted, ...date('2000-02-01T00:00:00Z', 0) }),
    ]
    for (const item of items) expect(await deliver(format, path, [item])).toBeUndefined()
    expect((await readFile(path)).toString('latin1')).toBe(sampleOf(name, 'awkward').toString('latin1'))
  })

  test('keywords are those of the configuration, the first in the highest bit; others are none', async () => {
    const format = formatOf()
    await format.create(placeOf(path))
    const date = { date: { ms: Date.parse('2015-01-05T09:08:07+01:00'), zone: 60 } }
    const eml = sampleOf('unix', 'source/m1.eml')
    await deliver(format, path, [itemOf(eml, { ...date, keywords: ['$label1'], system: SYSTEM.seen }), itemOf(eml, { ...date, keywords: ['NonJunk', 'other'] })])
    const box = await opened(format)
    await box.refresh()
    await box.append([itemOf(eml, date)])
    await box.store([3], { system: SYSTEM.flagged | SYSTEM.draft, keywords: ['nonjunk', '$Label1', 'more'] })
    expect((await readFile(path)).toString('latin1')).toBe(sampleOf(name, 'keywords').toString('latin1'))
    expect(box.table.keywords).toEqual({ defined: KEYWORDS, canCreate: false })
    // A keyword that is taken away by somebody else is gone here too.
    await writeFile(path, (await readFile(path, 'latin1')).replace(/;4000000000(\d\d)/, ';0000000000$1'), 'latin1')
    await box.refresh()
    expect((await box.messages())[0]?.keywords).toEqual([])
  })

  test('a flag is written where it stands, and nothing else is', async () => {
    const box = await filled(3)
    const before = await readFile(path, 'latin1')
    await box.store([2], { system: SYSTEM.seen })
    const second = before.indexOf(`;0000000000${'20'}${end}`, before.indexOf('text of message 1'))
    expect(await readFile(path, 'latin1')).toBe(`${before.slice(0, second)};000000000021${before.slice(second + 13)}`)
  })

  test('expunging needs the mailbox for itself; numbers of those that stay do not change', async () => {
    const box = await filled(4)
    const other = await opened(formatOf())
    await other.refresh(true)
    const before = await readFile(path)
    const inUse = { kind: 'in-use', message: "Can't expunge because mailbox is in use by another process" }
    await expect(box.source.mayExpunge?.(never)).rejects.toMatchObject(inUse)
    await expect(box.expunge([2])).rejects.toMatchObject(inUse)
    expect(await readFile(path)).toEqual(before)
    await box.refresh(true)
    expect({ uids: box.uids, epoch: box.table.epoch }).toEqual({ uids: [1, 2, 3, 4], epoch: box.table.epoch })
    await other.source.close()
    await box.source.mayExpunge?.(never)
    expect(await readFile(path)).toEqual(before)
    await box.expunge([2])
    expect(box.uids).toEqual([1, 3, 4])
    expect((await box.messages()).map((m) => m.text)).toEqual([1, 3, 4].map(message))
    expect(before.length - (await readFile(path)).length).toBe(before.length / 4)
  })

  test.each([1, 2, 3])('%d operations that fail, one after the other, cost nobody the numbers of messages', async (times) => {
    const disk = new FullDisk(files, 512)
    const box = await filled(3, formatOf({ files: disk.files }))
    await box.expunge([1])
    const { uidValidity, epoch } = box.table
    disk.free = 0
    for (let n = 0; n < times; n++) {
      await expect(box.edit((edit) => box.source.refresh(edit, { claimRecent: true }, AbortSignal.abort(new Error('no time'))).then(() => Promise.reject(new Error('no time'))))).rejects.toThrow('no time')
      await expect(box.append([itemOf(`Subject: x\r\n\r\n${'text\r\n'.repeat(4000)}`)])).rejects.toMatchObject({ kind: 'unavailable' })
    }
    disk.free = undefined
    await box.append([itemOf(message(4))])
    await box.refresh(true)
    expect({ uids: box.uids, uidValidity: box.table.uidValidity, epoch: box.table.epoch }).toEqual({ uids: [2, 3, 4], uidValidity, epoch })
    expect((await box.messages()).map((m) => m.text)).toEqual([2, 3, 4].map(message))
  })

  test('an expunge for which there is no room is refused, and costs nobody the numbers of messages', async () => {
    const disk = new FullDisk(files, 512)
    const box = await filled(5, formatOf({ files: disk.files }))
    await box.expunge([1])
    const { uidValidity, epoch } = box.table
    disk.free = 0
    for (let n = 0; n < 2; n++) await expect(box.expunge([2])).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(box.append([itemOf(message(6))])).rejects.toMatchObject({ kind: 'unavailable' })
    await box.refresh(true)
    expect({ uids: box.uids, uidValidity: box.table.uidValidity, epoch: box.table.epoch }).toEqual({ uids: [2, 3, 4, 5], uidValidity, epoch })
    expect((await box.messages()).map((m) => m.text)).toEqual([2, 3, 4, 5].map(message))
    disk.free = undefined
    await box.expunge([3])
    expect((await box.messages()).map((m) => m.text)).toEqual([2, 4, 5].map(message))
  })

  test('an unchanged mailbox keeps its numbers over a restart; one that changed is another', async () => {
    const box = await filled(3)
    await box.expunge([1])
    await box.source.close()
    const again = await opened(formatOf({ clock: new TestClock(Date.now() + 10_000) }), box)
    await again.refresh(true)
    expect({ uids: again.uids, validity: again.table.uidValidity }).toEqual({ uids: [2, 3], validity: box.table.uidValidity })
    const validity = again.table.uidValidity
    await again.source.close()
    await appendFile(path, ` 5-Jan-2015 09:08:07 +0100,${10 + 2 * end.length};000000000000${end}Subject: x${end}${end}`)
    const later = await opened(formatOf({ clock: new TestClock(Date.now() + 20_000) }), again)
    await later.refresh(true)
    expect({ uids: later.uids, another: later.table.uidValidity > validity }).toEqual({ uids: [1, 2, 3], another: true })
  })

  test('damage is told with its place; all other messages are shown, and nothing is written', async () => {
    const box = await filled(3)
    await box.source.close()
    const octets = await readFile(path, 'latin1')
    const second = octets.indexOf(',', octets.indexOf('text of message 1')) - 26
    for (const [damaged, says] of [
      [`${octets.slice(0, second)}${'x'.repeat(70)}${octets.slice(second)}`, lineless],
      [`${octets.slice(0, second + 27)}x${octets.slice(second + 28)}`, /^Unable to parse internal header elements at \d+: .*,x\d*;\d+$/],
    ] as const) {
      await writeFile(path, damaged, 'latin1')
      const now = await opened(formatOf())
      await now.refresh(true)
      expect(now.notices).toEqual([{ severity: 'warning', text: expect.stringMatching(says) as unknown as string }])
      expect((await now.messages()).map((m) => m.text)).toEqual(expect.arrayContaining([message(1), message(3)]))
      await expect(now.store([1], { system: SYSTEM.seen })).rejects.toMatchObject({ kind: 'corrupt' })
      expect(await readFile(path, 'latin1')).toBe(damaged)
    }
  })

  test('a file that is no mailbox is not taken for one', async () => {
    for (const [octets, expected] of [
      ['', 'empty'],
      [sampleOf(name, 'opened').toString('latin1'), 'mine'],
      [sampleOf(name === 'mtx' ? 'tenex' : 'mtx', 'opened').toString('latin1'), 'not-mine'],
      ['From bob@example.net Mon Jan  5 09:08:07 2015\nSubject: x\n\n', 'not-mine'],
      [`23-Nov-2026 01:42:08 +0000 16 00${end}`, 'not-mine'],
    ] as const) {
      await writeFile(path, octets, 'latin1')
      expect(await formatOf().recognise(placeOf(path))).toBe(expected)
    }
  })
})
