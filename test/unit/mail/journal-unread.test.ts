import { describe, expect, test } from 'vitest'
import { SYSTEM, uids, type FlagChange } from '../../../core/api/index.js'
import { SegmentPool } from '../../../core/mail/cache/fact-store.js'
import { SourceRegistry } from '../../../core/mail/registry/registry.js'
import type { SharedMailbox } from '../../../core/mail/registry/shared-mailbox.js'
import { stateKeeper } from '../../../core/mail/registry/state-folders.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { QuietLogger, StillClock, alice, listOf, never, setOf, testSettings } from '../../support/mail.js'
import { place } from '../../support/mail-table.js'
import { TextDisk } from '../../support/mail-text-source.js'

const change = (how: FlagChange['how'], system: number, ...list: number[]): FlagChange => ({ uids: setOf(...list), how, system, keywords: [] })
async function home(): Promise<VirtualFiles> {
  const files = new VirtualFiles()
  await files.makeDirectory('/home', 0o755)
  await files.makeDirectory('/home/alice', 0o755)
  await files.syncDirectory('/')
  await files.syncDirectory('/home')
  return files
}
function server(files: VirtualFiles) {
  const [clock, logger] = [new StillClock(), new QuietLogger()]
  const registry = new SourceRegistry(clock, logger)
  const keeper = stateKeeper({ files, settings: testSettings, clock, logger, pool: new SegmentPool() }, place.at, alice)!
  const open = async (disk: TextDisk): Promise<SharedMailbox> => {
    const m = await registry.acquire(disk.found(), testSettings, keeper, never)
    m.writers++
    await m.refresh(never)
    return m
  }
  return { registry, logger, open }
}
function mailbox(): TextDisk {
  const disk = new TextDisk()
  for (const uid of [1, 2]) disk.messages.set(uid, { system: 0, keywords: [] })
  return disk
}
/** The journal cannot be opened until told otherwise. */
function withoutJournal(files: VirtualFiles, code: string): { readonly files: VirtualFiles; readonly mend: () => void } {
  const open = files.open.bind(files)
  files.open = (path, how) => (path.endsWith('/journal') ? Promise.reject(Object.assign(new Error(`${code}: open '${path}'`), { code })) : open(path, how))
  return { files, mend: () => (files.open = open) }
}
const flags = (disk: TextDisk): readonly number[] => [...disk.messages.values()].map(({ system }) => system)
/** \Deleted of the first message and \Flagged of the second are in the journal alone; then the process is killed. */
async function killed(): Promise<{ readonly files: VirtualFiles; readonly disk: TextDisk }> {
  const files = await home()
  const disk = mailbox()
  const m = await server(files).open(disk)
  await m.store(change('add', SYSTEM.deleted, 1), undefined, never)
  await m.store(change('add', SYSTEM.flagged, 2), undefined, never)
  expect(flags(disk)).toEqual([0, 0])
  return { files: new VirtualFiles(files.disk), disk }
}

describe.each(['EMFILE', 'EACCES'])('a journal that cannot be opened at first (%s)', (code) => {
  test('and can be at the first change: what it holds comes before that change, and never after it', async () => {
    const { files, disk } = await killed()
    const broken = withoutJournal(files, code)
    const p = server(files)
    const m = await p.open(disk)
    expect(p.logger.lines.map(({ event }) => event)).toEqual(['mail.state-unavailable'])
    broken.mend()
    await m.store(change('remove', SYSTEM.deleted, 1), undefined, never)
    await p.registry[Symbol.asyncDispose]()
    expect(flags(disk)).toEqual([0, SYSTEM.flagged])
    const q = server(new VirtualFiles(files.disk))
    await q.open(disk)
    await q.registry[Symbol.asyncDispose]()
    expect(flags(disk)).toEqual([0, SYSTEM.flagged])
  })
  test('and not then either: the change is refused, and what was acknowledged is done later', async () => {
    const { files, disk } = await killed()
    const broken = withoutJournal(files, code)
    const p = server(files)
    const m = await p.open(disk)
    await expect(m.store(change('add', SYSTEM.seen, 1, 2), undefined, never)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(flags(disk)).toEqual([0, 0])
    await p.registry[Symbol.asyncDispose]()
    broken.mend()
    const q = server(files)
    await q.open(disk)
    await q.registry[Symbol.asyncDispose]()
    expect(flags(disk)).toEqual([SYSTEM.deleted, SYSTEM.flagged])
  })
  test('where there is none yet: changes go to the mailbox at once', async () => {
    const { files } = withoutJournal(await home(), code)
    const disk = mailbox()
    const p = server(files)
    const m = await p.open(disk)
    await m.store(change('add', SYSTEM.seen, 1), undefined, never)
    expect(flags(disk)).toEqual([SYSTEM.seen, 0])
    await p.registry[Symbol.asyncDispose]()
  })
})

/** What lies in the user's state folder can be read, and not written. */
function readOnly(files: VirtualFiles, code: string): VirtualFiles {
  const open = files.open.bind(files)
  files.open = (path, how) => (how?.write === true && path.includes('/.mailwright/') ? Promise.reject(Object.assign(new Error(`${code}: open '${path}'`), { code })) : open(path, how))
  return files
}
describe.each(['EROFS', 'EACCES'])('a journal that can be read and not written (%s)', (code) => {
  test('and owes nothing: changes go to the mailbox at once', async () => {
    const files = await home()
    const disk = mailbox()
    const before = server(files)
    await (await before.open(disk)).store(change('add', SYSTEM.flagged, 2), undefined, never)
    await before.registry[Symbol.asyncDispose]()
    const p = server(readOnly(files, code))
    const m = await p.open(disk)
    await m.store(change('add', SYSTEM.seen, 1), undefined, never)
    expect(flags(disk)).toEqual([SYSTEM.seen, SYSTEM.flagged])
    await p.registry[Symbol.asyncDispose]()
  })
  test('and holds what was acknowledged: a change is refused', async () => {
    const { files, disk } = await killed()
    const p = server(readOnly(files, code))
    const m = await p.open(disk)
    await expect(m.store(change('add', SYSTEM.seen, 1), undefined, never)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(flags(disk)).toEqual([0, 0])
    await p.registry[Symbol.asyncDispose]()
  })
})

describe('a mailbox that two processes have open', () => {
  test('and one has acknowledged that a message stays: the other removes it neither, but what is deleted by the word of the first', async () => {
    const files = await home()
    const disk = mailbox()
    disk.messages.set(1, { system: SYSTEM.deleted, keywords: [] })
    const [p, q] = [server(files), server(files)]
    const [first, second] = [await p.open(disk), await q.open(disk)]
    await first.store(change('remove', SYSTEM.deleted, 1), undefined, never)
    await first.store(change('add', SYSTEM.deleted, 2), undefined, never)
    expect([...disk.messages.values()].map(({ system }) => system)).toEqual([SYSTEM.deleted, 0])
    expect(listOf(await second.expunge(uids.all, false, never))).toEqual([2])
    expect([...disk.messages.keys()]).toEqual([1])
    await p.registry[Symbol.asyncDispose]()
    await q.registry[Symbol.asyncDispose]()
    expect(flags(disk)).toEqual([0])
  })
  test('and the one with the journal is killed: the other one removes no message of which that had acknowledged that it stays', async () => {
    const files = await home()
    const disk = mailbox()
    disk.messages.set(1, { system: SYSTEM.deleted, keywords: [] })
    const first = await server(files).open(disk)
    const p = server(files)
    const second = await p.open(disk)
    await first.store(change('remove', SYSTEM.deleted, 1), undefined, never)
    await first.store(change('add', SYSTEM.deleted, 2), undefined, never)
    for (const file of files.open_) if (file.path.endsWith('/journal')) await file.close()
    expect(listOf(await second.expunge(uids.all, false, never))).toEqual([2])
    expect([...disk.messages.keys()]).toEqual([1])
    await p.registry[Symbol.asyncDispose]()
  })
  test('and the one with the journal is killed: the other one does what that had acknowledged before its own next change', async () => {
    const files = await home()
    const disk = mailbox()
    const first = await server(files).open(disk)
    const p = server(files)
    const second = await p.open(disk)
    await first.store(change('add', SYSTEM.deleted | SYSTEM.flagged, 1), undefined, never)
    // Its locks go with it.
    for (const file of files.open_) if (file.path.endsWith('/journal')) await file.close()
    await second.store(change('remove', SYSTEM.deleted, 1), undefined, never)
    await p.registry[Symbol.asyncDispose]()
    expect(flags(disk)).toEqual([SYSTEM.flagged, 0])
    const q = server(new VirtualFiles(files.disk))
    await q.open(disk)
    await q.registry[Symbol.asyncDispose]()
    expect(flags(disk)).toEqual([SYSTEM.flagged, 0])
  })
  test('and the mailbox is locked when the other one would do it: it is done later', async () => {
    const { files, disk } = await killed()
    const broken = withoutJournal(files, 'EMFILE')
    const p = server(files)
    const m = await p.open(disk)
    broken.mend()
    disk.version++
    const refresh = m.source.refresh.bind(m.source)
    m.source.refresh = () => Promise.reject(Object.assign(new Error('locked'), { code: 'EBUSY' }))
    await expect(m.store(change('add', SYSTEM.seen, 1), undefined, never)).rejects.toMatchObject({ kind: 'in-use' })
    m.source.refresh = refresh
    await m.store(change('add', SYSTEM.seen, 1), undefined, never)
    await p.registry[Symbol.asyncDispose]()
    expect(flags(disk)).toEqual([SYSTEM.deleted | SYSTEM.seen, SYSTEM.flagged])
  })
})

test('a message that was undeleted stays, also when another program changes its flags in the moment before the expunge', async () => {
  const disk = mailbox()
  disk.messages.set(1, { system: SYSTEM.deleted, keywords: [] })
  const p = server(await home())
  const m = await p.open(disk)
  await m.store(change('remove', SYSTEM.deleted, 1), undefined, never)
  const expunge = m.source.expunge.bind(m.source)
  m.source.expunge = (...args) => {
    disk.messages.set(1, { system: SYSTEM.deleted | SYSTEM.seen, keywords: [] })
    disk.version++
    return expunge(...args)
  }
  expect(listOf(await m.expunge(uids.all, false, never))).toEqual([])
  await p.registry[Symbol.asyncDispose]()
  expect(flags(disk)).toEqual([SYSTEM.seen, 0])
})
