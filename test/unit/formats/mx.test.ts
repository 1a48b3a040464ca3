import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { dateOfTime, timeOfDate } from '../../../plugins/formats/shared/file-dates.js'
import { deliverTo, directoryContext, openBox, placeAt } from '../../support/directory-formats.js'
import { TestClock } from '../../support/unix.js'
import { goldenFolder, goldenMailboxes, rowsOfGolden } from '../../support/golden.js'

const files = new SystemFiles(await nativeLocks())
const golden = (await goldenMailboxes('mx')).filter((m) => m.messages.length > 0)
const format = (): MxFormat => new MxFormat(directoryContext(files))

describe('mx', () => {
  let folder = ''
  beforeEach(async () => void (folder = await goldenFolder('mx')))
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const index = async (name: string): Promise<string> => (await readFile(join(folder, name, '.mxindex'))).toString('latin1')

  test.each(golden)('$mailbox is read as the reference library reads it', async (wanted) => {
    const path = join(folder, wanted.mailbox)
    expect(await format().recognise(placeAt(path))).toBe('mine')
    const box = await openBox(format(), path)
    await box.refresh()
    expect(box.rows).toEqual(rowsOfGolden(wanted))
    const { uidValidity, uidNext, keywords } = box.table
    expect({ uidValidity, last: uidNext - 1, keywords: keywords.defined }).toEqual({ uidValidity: wanted.uidvalidity, last: wanted.uidlast, keywords: wanted.keywords })
    for await (const batch of box.source.read(uids.all, { bytes: 'header', sections: [], facts: [] }, box.table.generation, new AbortController().signal)) {
      expect(batch.map((m) => [m.uid, m.headerSize])).toEqual(wanted.messages.map((m) => [m.uid, m.header]))
    }
    await box.close()
  })

  test('the messages of "awkward", delivered here, make the same files', async () => {
    const sample = await openBox(format(), join(folder, 'awkward'))
    await sample.refresh()
    const messages = await sample.messages()
    const path = join(folder, 'ours')
    await format().create(placeAt(path))
    for (const m of messages) {
      const words = m.flags.split(' ')
      const system = Object.entries(SYSTEM).reduce((bits, [name, bit]) => bits | (words.includes(name) ? bit : 0), 0)
      await deliverTo(format(), path, [{ bytes: m.bytes, system, keywords: [], date: { ms: m.ms, zone: m.zone } }])
    }
    const masked = (text: string): string => text.replace(/^V.{8}/, 'V')
    expect(masked(await index('ours'))).toBe(masked(await index('awkward')).replaceAll(/\.00(.)(.)/g, '.00$1$2'))
    for (const name of ['1', '2', '3', '4']) expect(await readFile(join(path, name))).toEqual(await readFile(join(folder, 'awkward', name)))
    const again = await openBox(format(), path)
    await again.refresh()
    expect(again.rows).toEqual(sample.rows)
  })

  test.each([{ name: 'records where they stand', keywords: [] }, { name: 'an index written anew', keywords: ['brandnew'] }])('a delivery that has arrived is not refused because what follows fails: $name', async ({ keywords }) => {
    let failures = 0
    let broken = false
    class Failing extends SystemFiles {
      override setTimes(path: string, accessed: number, modified: number): Promise<void> {
        if (!broken) return super.setTimes(path, accessed, modified)
        failures++
        return Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }))
      }
    }
    const path = join(folder, 'ours')
    const made = new MxFormat(directoryContext(new Failing(await nativeLocks())))
    await made.create(placeAt(path))
    const box = await openBox(made, path)
    await box.refresh()
    broken = true
    await deliverTo(made, path, [{ ...sampleMessage(1), system: SYSTEM.seen, keywords }], box)
    broken = false
    await box.refresh()
    await box.store({ uids: uids.one(1), system: SYSTEM.flagged, how: 'add' })
    const flags = ['seen flagged', ...keywords].join(' ')
    expect([failures, box.rows.map((r) => [r.uid, r.flags])]).toEqual([1, [[1, flags]]])
    const again = await openBox(format(), path)
    await again.refresh()
    expect(again.rows.map((r) => [r.uid, r.flags])).toEqual([[1, flags]])
    await Promise.all([box.close(), again.close()])
  })

  test('an empty index of the reference is that of a new mailbox, and gets its numbers', async () => {
    const path = join(folder, 'fresh')
    await deliverTo(format(), path, [sampleMessage(1), sampleMessage(2)])
    expect(await index('fresh')).toMatch(/^V[0-9a-f]{8}L00000002M00000001;00000000\.0000M00000002;00000000\.0000$/)
  })

  test('a changed flag changes its record alone; records of messages that went stay until they are most of the file', async () => {
    const path = join(folder, 'fresh')
    const box = await openBox(format(), path)
    await deliverTo(format(), path, Array.from({ length: 100 }, (_, n) => sampleMessage(n)), box)
    const before = await index('fresh')
    await box.store({ uids: uids.one(50), system: SYSTEM.flagged })
    const after = await index('fresh')
    expect([...after].filter((c, i) => c !== before[i])).toHaveLength(1)
    await box.expunge(uids.one(7), { always: true })
    expect(await index('fresh')).toBe(after)
    await box.expunge(uids.from(Array.from({ length: 90 }, (_, n) => n + 8)), { always: true })
    expect((await index('fresh')).match(/M/g)).toHaveLength(9)
    expect(box.rows).toHaveLength(9)
    await box.close()
    const again = await openBox(format(), path)
    await again.refresh()
    expect(again.rows).toEqual(box.rows)
  })

  test('what is no record is told, and the rest of the index passed over', async () => {
    const path = join(folder, 'opened')
    await writeFile(join(path, '.mxindex'), `${(await index('opened')).slice(0, -23)}garbage`)
    const box = await openBox(format(), path)
    const notices: string[] = []
    await box.edit(async (e) => {
      e.notice = (_severity, text) => void notices.push(text)
      await box.source.refresh(e, { claimRecent: false }, new AbortController().signal)
    })
    expect(notices).toEqual(['Error in index: garbage'])
    expect(box.rows.map((r) => r.flags)).toEqual(['seen flagged $label1', 'seen deleted answered $label1 nonjunk', ''])
    await box.store({ uids: uids.one(4), system: SYSTEM.draft })
    expect(await index('opened')).toMatch(/M00000004;00000000\.0020$/)
  })

  test('behind damage the index goes on; a delivery that was interrupted is not given up for it', async () => {
    const path = join(folder, 'opened')
    const text = await index('opened')
    const second = text.indexOf('M', text.indexOf('M') + 1)
    await writeFile(join(path, '.mxindex'), `${text.slice(0, second)}${'#'.repeat(23)}${text.slice(second + 23)}`)
    await writeFile(join(path, '.mxnew-9'), 'Subject: on its way\r\n\r\n')
    const box = await openBox(format(), path)
    await box.refresh({ claimRecent: true })
    expect(box.rows.map((r) => r.flags)).toEqual(['seen flagged $label1', '', 'draft'])
    expect(await readFile(join(path, '.mxnew-9'), 'latin1')).toContain('on its way')
  })
  test('an index that lost its beginning keeps what it says of messages, and is not begun anew', async () => {
    const path = join(folder, 'opened')
    const text = await index('opened')
    const first = text.indexOf('M0')
    const damaged = '#'.repeat(first) + text.slice(first)
    await writeFile(join(path, '.mxindex'), damaged)
    const box = await openBox(format(), path)
    await box.refresh()
    // Names of keywords are gone with it; flags are not.
    expect(box.rows.map((r) => r.flags)).toEqual(['seen flagged', 'seen deleted answered', 'draft'])
    const { uidValidity } = box.table
    expect(uidValidity).toBeGreaterThan(1_000_000_000)
    expect(await index('opened')).toBe(damaged)
    await deliverTo(format(), path, [sampleMessage(1, { system: SYSTEM.seen })])
    await box.refresh()
    expect(box.table.uidValidity).toBe(uidValidity)
    expect(box.rows.map((r) => [r.uid, r.flags])).toEqual([[2, 'seen flagged'], [3, 'seen deleted answered'], [4, 'draft'], [5, 'seen']])
  })

  test.each([
    { name: 'small', length: 200, rest: 50 },
    { name: 'large', length: 300_000, rest: 200_000 },
  ])('a message whose file was cut off is not begun with the size that it had, and the next look has the size that it has: $name', async ({ length, rest }) => {
    const path = join(folder, 'ours')
    await format().create(placeAt(path))
    const bytes = Buffer.from(`Subject: long\r\n\r\n${'x'.repeat(length)}\r\n`)
    await deliverTo(format(), path, [sampleMessage(1), { ...sampleMessage(2), bytes }, sampleMessage(3)])
    const clock = new TestClock(Date.now() + 60_000)
    const box = await openBox(new MxFormat(directoryContext(files, clock)), path)
    await box.refresh()
    await truncate(join(path, '2'), rest)
    await box.refresh()
    const uidsRead = async (): Promise<number[]> => {
      const out: number[] = []
      for await (const batch of box.source.read(uids.all, { bytes: 'whole', sections: [], facts: [] }, box.table.generation, new AbortController().signal)) out.push(...batch.map((m) => m.uid))
      return out
    }
    expect(await uidsRead()).toEqual([1, 3])
    await box.refresh()
    expect(await uidsRead()).toEqual([1, 2, 3])
    expect(box.rows[1]?.size).toBe(rest)
    await box.close()
  })

  test('names of digits alone are refused; a deleted mailbox leaves nothing but mailboxes below it', async () => {
    await expect(format().create(placeAt(join(folder, '17')))).rejects.toThrow('invalid MX-format name')
    await format().create(placeAt(join(folder, 'opened', 'below')))
    await format().remove(placeAt(join(folder, 'opened')))
    expect(await readdir(join(folder, 'opened'))).toEqual(['below'])
  })

  test.each([
    { name: '1700', ms: Date.UTC(1700, 0, 5, 8, 8, 7), zone: 60 },
    { name: '1965', ms: Date.UTC(1965, 0, 5, 8, 8, 7), zone: -300 },
    { name: '2015, with a zone of days', ms: Date.UTC(2015, 0, 5, 8, 8, 7), zone: 6039 },
    { name: '2600', ms: Date.UTC(2600, 0, 5, 8, 8, 7), zone: 60 },
    { name: '9999', ms: Date.UTC(9999, 0, 5, 8, 8, 7), zone: 0 },
  ])('a date that no time of a file says is told at once as it is told later: $name', async ({ ms, zone }) => {
    const path = join(folder, 'ours')
    await format().create(placeAt(path))
    const box = await openBox(format(), path)
    await box.refresh()
    await deliverTo(format(), path, [{ ...sampleMessage(1), date: { ms, zone } }], box)
    const told = box.rows
    const again = await openBox(format(), path)
    await again.refresh()
    expect([told.length, again.rows]).toEqual([1, told])
  })
  const dates = [
    { name: 'east', ms: 1_420_445_287_000, zone: 60 },
    { name: 'west, half an hour', ms: 1_603_265_998_000, zone: -450 },
    { name: 'UTC', ms: 949_363_200_000, zone: 0 },
    { name: 'before 1970', ms: -86_400_000, zone: 840 },
  ]
  test.each(dates)('a time of modification says date and zone: $name', ({ ms, zone }) => expect(dateOfTime(timeOfDate(ms, zone))).toEqual({ ms, zone }))
  test('a time that another program set says no zone', () => expect(dateOfTime(1_420_445_287_123.456)).toEqual({ ms: 1_420_445_287_000, zone: 0 }))
})
