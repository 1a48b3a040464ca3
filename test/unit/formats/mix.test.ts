import { createHash } from 'node:crypto'
import { copyFile, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type OpenFile, type OpenHow } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { never, type Box } from '../../../core/testing/box.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { SEQUENCE_OCTETS } from '../../../plugins/formats/mix/records.js'
import { ENTRY_HEAD } from '../../../plugins/formats/mix/redo.js'
import { countingFiles } from '../../support/counting-files.js'
import { deliverTo, directoryContext, familyHome, openBox, placeAt } from '../../support/directory-formats.js'
import { goldenFolder, goldenMailboxes, rowsOfGolden } from '../../support/golden.js'
import { HeldClock } from '../../support/held-clock.js'

/** Files that this user may not write. */
class ReadOnlyFiles extends SystemFiles {
  override open(path: string, how: OpenHow = {}): Promise<OpenFile> {
    return how.write === true ? Promise.reject(Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: 'EACCES' })) : super.open(path, how)
  }
}
const files = new SystemFiles(await nativeLocks())
const golden = await goldenMailboxes('mix')
const format = (): MixFormat => new MixFormat(directoryContext(files))

async function control(folder: string, name: string): Promise<string> {
  return (await readFile(join(folder, `.mix${name}`))).toString('latin1')
}
async function dataFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((n) => /^\.mix[0-9a-f]{8}$/.test(n)).sort()
}

describe('mix: golden samples', () => {
  let folder = ''
  beforeEach(async () => void (folder = await goldenFolder('mix')))
  afterEach(() => rm(folder, { recursive: true, force: true }))

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
    expect([...(await box.read(uids.all)).values()].map((b) => b.length)).toEqual(wanted.messages.map((m) => m.size))
    await box.close()
  })

  test('opening read-write marks messages as old, as the sample "opened" has them', async () => {
    const path = join(folder, 'appended')
    const box = await openBox(format(), path)
    expect((await box.refresh({ claimRecent: true })).count).toBe(3)
    await box.close()
    const masked = (text: string): string => text.replaceAll(/[0-9a-f]{8}:\r\n/g, 'M:\r\n').replace(/^S.*/, 'S')
    expect(masked(await control(path, 'status'))).toBe(masked(await control(join(folder, 'opened'), 'status')))
    expect(await control(path, 'index')).toBe(await control(join(folder, 'opened'), 'index'))
  })

  test('the messages of "awkward", delivered here, make the same files', async () => {
    const sample = await openBox(format(), join(folder, 'awkward'))
    await sample.refresh()
    const messages = await sample.messages()
    await sample.close()
    const path = join(folder, 'ours')
    await format().create(placeAt(path))
    for (const m of messages) {
      const words = m.flags.split(' ')
      const system = Object.entries(SYSTEM).reduce((bits, [name, bit]) => bits | (words.includes(name) ? bit : 0), 0)
      await deliverTo(format(), path, [{ bytes: m.bytes, system, keywords: [], date: { ms: m.ms, zone: m.zone } }])
    }
    const [data = ''] = await dataFiles(path)
    const number = data.slice(4)
    expect(await readFile(join(path, data))).toEqual(await readFile(join(folder, 'awkward', '.mix6b039a96')))
    const masked = (text: string): string => text.replaceAll(/S[0-9a-f]{8}/g, 'S').replaceAll(number, 'F').replaceAll('6b039a96', 'F').replaceAll(/[0-9a-f]{8}:\r\n/g, 'M:\r\n')
    expect(masked(await control(path, 'index'))).toBe(masked(await control(join(folder, 'awkward'), 'index')))
    expect(masked(await control(path, 'status'))).toBe(masked(await control(join(folder, 'awkward'), 'status')))
    expect(masked(await control(path, 'meta'))).toBe(masked(await control(join(folder, 'awkward'), 'meta')))
  })
})

describe('mix: what a change costs', () => {
  let home = ''
  let path = ''
  beforeEach(async () => {
    home = await familyHome()
    path = join(home, 'box')
    await format().create(placeAt(path))
  })
  afterEach(() => rm(home, { recursive: true, force: true }))
  const many = (n: number, from = 0) => Array.from({ length: n }, (_, i) => sampleMessage(from + i))
  const lines = async (name: string): Promise<string[]> => (await control(path, name)).split('\r\n').slice(1, -1)

  test('an expunge of one message changes the line before it and leaves the others where they are', async () => {
    const box = await openBox(format(), path)
    await deliverTo(format(), path, many(6), box)
    const before = await control(path, 'index')
    await box.expunge(uids.one(3), { always: true })
    const after = await control(path, 'index')
    expect(after.length).toBe(before.length)
    expect((await lines('index')).map((l) => l.slice(0, 9))).toEqual(['00000001', '00000002', '00000004', '00000005', '00000006'].map((u) => `:${u}`))
    await box.expunge(uids.one(6), { always: true })
    await box.expunge(uids.one(1), { always: true })
    await box.close()
    const anew = await openBox(format(), path)
    await anew.refresh()
    expect(anew.rows.map((r) => r.uid)).toEqual([2, 4, 5])
    expect(await anew.messages()).toHaveLength(3)
    await anew.close()
  })

  test.each([
    { name: 'in the middle', theirs: [3], ours: 5 },
    { name: 'at the beginning', theirs: [1, 2], ours: 3 },
    { name: 'at the end', theirs: [6], ours: 5 },
    { name: 'most of them', theirs: [1, 2, 4, 6, 7, ...Array.from({ length: 50 }, (_, n) => 10 + n)], ours: 5 },
  ])('what another process expunged just before an expunge stays gone, and takes nothing with it: $name', async ({ theirs, ours }) => {
    const [one, other] = [await openBox(format(), path), await openBox(format(), path)]
    await deliverTo(format(), path, many(theirs.length > 10 ? 60 : 6), one)
    await other.refresh()
    await one.expunge(uids.from(theirs), { always: true })
    await other.expunge(uids.one(ours), { always: true })
    const left = Array.from({ length: theirs.length > 10 ? 60 : 6 }, (_, n) => n + 1).filter((uid) => uid !== ours && !theirs.includes(uid))
    expect((await lines('index')).map((l) => Number.parseInt(l.slice(1, 9), 16))).toEqual(left)
    await one.close()
    await other.close()
    const anew = await openBox(format(), path)
    await anew.refresh()
    expect((await anew.messages()).map((m) => m.uid)).toEqual(left)
    await anew.close()
  })

  test('lines do not grow without bound, and the index is written anew when most of it is empty', async () => {
    const box = await openBox(format(), path)
    await deliverTo(format(), path, many(100), box)
    for (let uid = 2; uid < 99; uid++) await box.expunge(uids.one(uid), { always: true })
    expect((await lines('index')).map((l) => l.slice(1, 9))).toEqual(['00000001', '00000063', '00000064'])
    expect(Math.max(...(await lines('index')).map((l) => l.length))).toBeLessThan(1000)
    expect((await control(path, 'index')).length).toBeLessThan(25 * 77)
    await box.close()
    const anew = await openBox(format(), path)
    await anew.refresh()
    expect(anew.rows.map((r) => r.uid)).toEqual([1, 99, 100])
    await anew.close()
  })

  test('messages go on to a new file after a megabyte; files without messages go, and those that are mostly empty are put together', async () => {
    const box = await openBox(format(), path)
    const big = (n: number) => ({ ...sampleMessage(n), bytes: Buffer.concat([sampleMessage(n).bytes, Buffer.alloc(300_000, `line of ${n}\r\n`)]) })
    for (let n = 0; n < 9; n++) await deliverTo(format(), path, [big(n)], box)
    expect(await dataFiles(path)).toHaveLength(3)
    // All of the first file, and all but one of the second.
    await box.expunge(uids.from([1, 2, 3, 4, 5]), { always: true })
    const contents = async (): Promise<string[]> => (await box.messages()).map((m) => `${m.uid} ${createHash('sha256').update(m.bytes).digest('hex')}`)
    const before = await contents()
    await box.source.reclaim?.(new AbortController().signal)
    expect(await dataFiles(path)).toHaveLength(2)
    await box.refresh()
    expect(await contents()).toEqual(before)
    await box.close()
  })

  test('nothing is taken back from a mailbox that has the place by now', async () => {
    const box = await openBox(format(), path)
    const big = (n: number) => ({ ...sampleMessage(n), bytes: Buffer.concat([sampleMessage(n).bytes, Buffer.alloc(700_000, `line of ${n}\r\n`)]) })
    for (let n = 0; n < 3; n++) await deliverTo(format(), path, [big(n)], box)
    const [first = ''] = await dataFiles(path)
    await box.expunge(uids.from([1]), { always: true })
    await rename(path, join(home, 'moved'))
    await format().create(placeAt(path), { uidValidity: 1 })
    // Of the number of the one that was emptied, and in no index.
    await copyFile(join(home, 'moved', first), join(path, first))
    await box.source.reclaim?.(never)
    expect((await stat(join(path, first))).size).toBe((await stat(join(home, 'moved', first))).size)
    await box.close()
    await rm(path, { recursive: true })
    await rename(join(home, 'moved'), path)
    const again = await openBox(format(), path)
    await again.refresh()
    expect((await again.messages()).map(({ uid }) => uid)).toEqual([2, 3])
    await again.close()
  })

  test('while another program has the mailbox open nothing is taken back, and it is neither renamed nor deleted', async () => {
    const box = await openBox(format(), path)
    await deliverTo(format(), path, many(3), box)
    const [data = ''] = await dataFiles(path)
    const other = await files.open(join(path, '.mixmeta'))
    expect(other.lock('flock', 'shared')).toBe('locked')
    await box.expunge(uids.all, { always: true })
    await box.source.reclaim?.(new AbortController().signal)
    expect((await stat(join(path, data))).size).toBeGreaterThan(0)
    await expect(format().remove(placeAt(path))).rejects.toThrow("Can't lock mailbox for delete")
    await expect(format().rename(placeAt(path), placeAt(join(home, 'new')))).rejects.toThrow("Can't lock mailbox for rename")
    await other.close()
    await box.source.reclaim?.(new AbortController().signal)
    expect((await stat(join(path, data))).size).toBe(0)
    await box.close()
  })

  test('a folder with mailboxes in it becomes one itself, and stays when it is none any more', async () => {
    const below = join(home, 'up', 'down')
    await files.makeDirectory(join(home, 'up'), 0o700)
    await format().create(placeAt(below))
    await format().create(placeAt(join(home, 'up')))
    await deliverTo(format(), join(home, 'up'), many(2))
    await format().remove(placeAt(join(home, 'up')))
    expect(await readdir(join(home, 'up'))).toEqual(['down'])
    expect(await format().recognise(placeAt(below))).toBe('mine')
    await expect(format().create(placeAt(join(home, '.mixed')))).rejects.toThrow('invalid MIX-format name')
  })
})

describe('mix: opened again with the rows of last time', () => {
  let home = ''
  let path = ''
  beforeEach(async () => {
    home = await familyHome()
    path = join(home, 'box')
    await format().create(placeAt(path))
  })
  afterEach(() => rm(home, { recursive: true, force: true }))

  test('an unchanged mailbox costs no lock, and of its files the heads alone are read', async () => {
    const box = await openBox(format(), path)
    await deliverTo(format(), path, Array.from({ length: 200 }, (_, i) => sampleMessage(i)), box)
    await box.refresh({ claimRecent: true })
    const saved = box.save()
    await box.close()
    const { files: counted, counts, reset } = countingFiles(files)
    const again = await openBox(new MixFormat(directoryContext(counted)), path)
    again.restore(saved)
    await again.refresh({ claimRecent: true })
    // Four files are opened, one asked for its identity; then the heads of all, and whether the name still leads there.
    expect(counts()).toEqual({ calls: 10, octets: 3 * SEQUENCE_OCTETS + ENTRY_HEAD, names: 0 })
    reset()
    await again.refresh({ claimRecent: true })
    expect(counts()).toEqual({ calls: 4, octets: 3 * SEQUENCE_OCTETS, names: 0 })
    expect(again.rows).toHaveLength(200)
    expect(await again.messages()).toHaveLength(200)
    await again.close()
  })

  test('where the folder is as it was, its metadata file is: looks ask for heads alone', async () => {
    await deliverTo(format(), path, [sampleMessage(0)])
    const { files: counted, counts, reset } = countingFiles(files)
    // Some time after the folder was changed; then times of change tell everything.
    const later = new MixFormat(directoryContext(counted, new HeldClock(Date.now() + 10_000)))
    const look = async (box: Box): Promise<void> => {
      const found = await files.stat(path)
      expect(await later.recognise(placeAt(path), never, found)).toBe('mine')
      await box.edit((edit) => box.source.refresh(edit, { claimRecent: true, ...(found && { found }) }, never))
    }
    const box = await openBox(later, path)
    await look(box)
    reset()
    await look(box)
    expect(counts()).toEqual({ calls: 3, octets: 3 * SEQUENCE_OCTETS, names: 0 })
    // Another program puts new metadata in the place of the old.
    await copyFile(join(path, '.mixmeta'), join(home, 'meta'))
    await rename(join(home, 'meta'), join(path, '.mixmeta'))
    await look(box)
    const { inode } = (await files.stat(join(path, '.mixmeta'))) ?? { inode: 0 }
    expect(JSON.parse(box.table.stamp ?? '')).toEqual(['mix/1', expect.objectContaining({ inode })])
    await box.close()
  })

  test.each([
    { name: 'a folder that was changed just now', after: 0, link: false },
    { name: 'a symbolic link', after: 10_000, link: true },
  ])('$name is looked at each time', async ({ after, link }) => {
    if (link) {
      await rename(join(path, '.mixmeta'), join(home, 'meta'))
      await symlink(join(home, 'meta'), join(path, '.mixmeta'))
    }
    const { files: counted, counts, reset } = countingFiles(files)
    const found = await files.stat(path)
    const looking = new MixFormat(directoryContext(counted, new HeldClock(Math.floor(found?.ctimeMs ?? 0) + 1000 + after)))
    expect(await looking.recognise(placeAt(path), never, found)).toBe('mine')
    reset()
    expect(await looking.recognise(placeAt(path), never, found)).toBe('mine')
    expect(counts().calls).toBe(link ? 2 : 1)
  })

  test('what a redo file still has to make good is made good before the rows are trusted', async () => {
    const box = await openBox(format(), path)
    await deliverTo(format(), path, [sampleMessage(0)], box)
    await box.refresh({ claimRecent: true })
    const saved = box.save()
    const before = await Promise.all(['meta', 'index', 'status'].map((name) => readFile(join(path, `.mix${name}`))))
    await deliverTo(format(), path, [sampleMessage(1)], box)
    // The machine stops: of the delivery, the redo file and the message reached the disk.
    const redo = await readFile(join(path, '.mixredo'))
    await box.close()
    for (const [i, name] of ['meta', 'index', 'status'].entries()) await writeFile(join(path, `.mix${name}`), before[i] ?? '')
    await writeFile(join(path, '.mixredo'), redo)
    const again = await openBox(format(), path)
    again.restore(saved)
    await again.refresh()
    expect(again.rows.map((r) => r.uid)).toEqual([1, 2])
    await again.close()
  })

  test('who may only read finds the mailbox, also beside a redo file', async () => {
    const box = await openBox(format(), path)
    await deliverTo(format(), path, [sampleMessage(0)], box)
    await box.store({ uids: uids.one(1), system: SYSTEM.flagged })
    const reader = await openBox(new MixFormat(directoryContext(new ReadOnlyFiles(await nativeLocks()))), path)
    await reader.refresh({ claimRecent: true })
    expect([reader.source.traits.writable, (await reader.messages()).map((m) => m.flags)]).toEqual([false, (await box.messages()).map((m) => m.flags)])
    await reader.close()
    await box.close()
  })
})

describe('mix: damage', () => {
  let folder = ''
  beforeEach(async () => void (folder = await goldenFolder('mix')))
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const edit = async (name: string, change: (text: string) => string): Promise<void> => {
    const path = join(folder, 'opened', `.mix${name}`)
    await writeFile(path, Buffer.from(change((await readFile(path)).toString('latin1')), 'latin1'))
  }
  const fatal = [
    { name: 'sequence of the metadata', file: 'meta', change: (t: string) => t.replace(/^S/, 'X'), says: 'Error in mix metadata file sequence' },
    { name: 'UIDVALIDITY', file: 'meta', change: (t: string) => t.replace('V6', 'V?'), says: 'Error in mix metadata file UIDVALIDITY' },
    { name: 'last UID', file: 'meta', change: (t: string) => t.replace('L0', 'Q0'), says: 'Error in mix metadata file UIDLAST' },
    { name: 'number of the new data file', file: 'meta', change: (t: string) => t.replace('\nN', '\nQ'), says: 'Error in mix metadata file new msg' },
    { name: 'a field of the index', file: 'index', change: (t: string) => t.replace(':000000c6:', ':0000zzc6:'), says: 'Error in RFC822.SIZE in mix index file' },
    { name: 'a line of the index', file: 'index', change: (t: string) => t.replace('\n:00000003', '\n?00000003'), says: 'Unknown record in mix index file' },
    { name: 'order of the index', file: 'index', change: (t: string) => t.replace(':00000003:', ':00000001:'), says: 'mix index data unexpunged UID' },
    { name: 'sequence of the flags', file: 'status', change: (t: string) => t.replace(/^S/, '?'), says: 'Error in mix status sequence record' },
  ]
  test.each(fatal)('$name: the mailbox is refused, and UIDVALIDITY stays', async ({ file, change, says }) => {
    await edit(file, change)
    const box = await openBox(format(), join(folder, 'opened'))
    await expect(box.refresh()).rejects.toThrow(says)
    await box.close()
  })
  const mild = [
    { name: 'a line of flags that is none', file: 'status', change: (t: string) => t.replace(':00000003:00000003', ':00000003:x0000003'), says: 'Error in mix status file message record, fixing' },
    { name: 'a UID above the last one', file: 'meta', change: (t: string) => t.replace('L00000004', 'L00000002'), says: 'mix index invalid UID' },
    { name: 'a short data file', file: '6b039a93', change: (t: string) => t.slice(0, -3), says: 'is truncated by 3 byte(s)' },
  ]
  test.each(mild)('$name: told, and everything else is there', async ({ file, change, says }) => {
    await edit(file, change)
    const box = await openBox(format(), join(folder, 'opened'))
    const notices: string[] = []
    await box.edit(async (e) => {
      const notice = e.notice.bind(e)
      e.notice = (severity, text) => {
        notices.push(text)
        notice(severity, text)
      }
      await box.source.refresh(e, { claimRecent: true }, new AbortController().signal)
    })
    expect(notices).toEqual([expect.stringContaining(says)])
    expect(box.rows.map((r) => r.uid)).toEqual([2, 3, 4])
    await deliverTo(format(), join(folder, 'opened'), [sampleMessage(1)], box)
    expect(box.rows.at(-1)?.uid).toBe(5)
    await box.close()
  })
  test('keywords without the end of their line, as a program of the family writes them, are read', async () => {
    await edit('meta', (t) => t.trimEnd())
    const box = await openBox(format(), join(folder, 'opened'))
    await box.refresh()
    expect(box.table.keywords.defined).toEqual(['$Label1', 'NonJunk'])
    await box.close()
  })
  test('lines that were begun and not finished go with the next delivery', async () => {
    await edit('index', (t) => `${t}:00000005:2020`)
    await edit('status', (t) => `${t}${'\0'.repeat(35)}`)
    const path = join(folder, 'opened')
    await deliverTo(format(), path, [sampleMessage(1, { system: SYSTEM.flagged })])
    const box = await openBox(format(), path)
    await box.refresh()
    expect(box.rows.map((r) => [r.uid, r.flags])).toEqual([[2, 'seen flagged $label1'], [3, 'seen deleted answered $label1 nonjunk'], [4, 'draft'], [5, 'flagged']])
    await box.close()
  })
})
