import { describe, expect, test } from 'vitest'
import type { FlagChange, FoundMailbox, MailDriver, MailboxView } from '../../../core/api/index.js'
import { SegmentPool } from '../../../core/mail/cache/fact-store.js'
import { folderOf } from '../../../core/mail/cache/directories.js'
import { JournalFile } from '../../../core/mail/journal/journal-file.js'
import { SourceRegistry } from '../../../core/mail/registry/registry.js'
import { stateKeeper } from '../../../core/mail/registry/state-folders.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { MemoryDriver } from '../../../plugins/drivers/memory/store.js'
import { QuietLogger, StillClock, alice, mailFixture, named, never, setOf, testSettings } from '../../support/mail.js'
import { place } from '../../support/mail-table.js'
import { TextDisk } from '../../support/mail-text-source.js'

const flag = (system: number, ...list: number[]): FlagChange => ({ uids: setOf(...list), how: 'add', system, keywords: [] })
async function home(): Promise<VirtualFiles> {
  const files = new VirtualFiles()
  await files.makeDirectory('/home', 0o755)
  await files.makeDirectory('/home/alice', 0o755)
  return files
}
function server(files: VirtualFiles) {
  const [clock, logger] = [new StillClock(), new QuietLogger()]
  const registry = new SourceRegistry(clock, logger)
  const keeper = stateKeeper({ files, settings: testSettings, clock, logger, pool: new SegmentPool() }, place.at, alice)!
  const open = async (found: FoundMailbox) => {
    const m = await registry.acquire(found, testSettings, keeper, never)
    m.writers++
    await m.refresh(never)
    return m
  }
  return { registry, keeper, logger, open }
}
/** A mailbox whose key is that of an inode, which is given again. */
function box(uidValidity: number): TextDisk {
  const disk = new TextDisk()
  disk.uidValidity = uidValidity
  disk.messages.set(1, { system: 0, keywords: [] })
  return disk
}
const folder = `/home/alice/.mailwright/mailboxes/${folderOf('inode')}`

describe('a mailbox that is deleted, and another that has its inode at once', () => {
  test.each(['open', 'not open'])('the journal of the other one stays: the first is %s', async (how) => {
    const files = await home()
    const p = server(files)
    const first = await p.open(box(7).found('inode'))
    await first.store(flag(1, 1), undefined, never)
    if (how === 'not open') await p.registry.evict('inode', 'closed', true)
    const other = box(8)
    let opening: Promise<unknown> = Promise.resolve()
    await p.registry.remove('inode', p.keeper, async () => {
      opening = p.open(other.found('inode')).then((m) => m.store(flag(4, 1), undefined, never))
      await new Promise((resolve) => setTimeout(resolve, 10))
    })
    await opening
    // The machine stops: what was acknowledged is in the journal alone.
    const q = server(new VirtualFiles(files.disk))
    const again = await q.open(other.found('inode'))
    expect(again.table.generation.flagSets[again.table.generation.flags[0]!]!.system).toBe(4)
    expect(p.logger.lines).toEqual([])
    await q.registry[Symbol.asyncDispose]()
  })
  test.each(['open', 'not open'])('nothing is left of the first where nobody comes: it is %s', async (how) => {
    const files = await home()
    const p = server(files)
    await p.open(box(7).found('inode'))
    if (how === 'not open') await p.registry.evict('inode', 'closed', true)
    await p.registry.remove('inode', p.keeper, () => Promise.resolve())
    expect(await files.stat(folder)).toBeUndefined()
    expect([...files.open_]).toEqual([])
  })
  test.each(['open', 'not open'])('when it cannot be deleted all is as it was: it is %s', async (how) => {
    const files = await home()
    const p = server(files)
    const disk = box(7)
    const first = await p.open(disk.found('inode'))
    await first.store(flag(1, 1), undefined, never)
    if (how === 'not open') await p.registry.evict('inode', 'closed', false)
    await expect(p.registry.remove('inode', p.keeper, () => Promise.reject(new Error('it is in use')))).rejects.toThrow('it is in use')
    const q = how === 'open' ? first : await p.open(disk.found('inode'))
    expect(q.gone).toBeUndefined()
    expect(q.table.generation.flagSets[q.table.generation.flags[0]!]!.system).toBe(1)
    await p.registry[Symbol.asyncDispose]()
    expect(disk.messages.get(1)!.system).toBe(1)
  })
  test.each([0, 1, 3, 8])('nothing is left of one that is renamed at the same moment (after %i turns), and nobody opens it before it has gone', async (turns) => {
    const files = await home()
    const p = server(files)
    await (await p.open(box(7).found('inode'))).store(flag(1, 1), undefined, never)
    let opened: Promise<boolean> | undefined
    let isGone = false
    const removing = p.registry.remove('inode', p.keeper, async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      opened = p.open(box(8).found('inode')).then(() => isGone)
      await new Promise((resolve) => setTimeout(resolve, 5))
      isGone = true
    })
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    await Promise.all([removing, p.registry.evict('inode', 'the mailbox was renamed', true).catch(() => undefined)])
    expect(await opened).toBe(true)
    await p.registry[Symbol.asyncDispose]()
    const kept = await JournalFile.open(files, `${folder}/journal`, true)
    expect(kept?.records.flatMap((r) => (r.t === 'head' ? [r.uidValidity] : []))).toEqual([8])
    await kept?.journal.close()
  })
  test('what another process has is left to it', async () => {
    const files = await home()
    const [p, q] = [server(files), server(files)]
    await q.open(box(7).found('inode'))
    await p.registry.remove('inode', p.keeper, () => Promise.resolve())
    expect(await files.stat(`${folder}/journal`)).toBeDefined()
    await q.registry[Symbol.asyncDispose]()
  })
})

test('a journal that is taken away between its opening and its lock is opened anew', async () => {
  const files = await home()
  const first = await JournalFile.open(files, '/home/journal', true)
  await first!.journal.append({ t: 'high', m: 1 }, true)
  const open = files.open.bind(files)
  files.open = async (path, how) => {
    const file = await open(path, how)
    files.open = open
    await first!.journal.rewrite([{ t: 'high', m: 2 }])
    await first!.journal.close()
    return file
  }
  const second = await JournalFile.open(files, '/home/journal', true)
  expect(second?.records).toEqual([{ t: 'high', m: 2 }])
  await second?.journal.append({ t: 'high', m: 3 }, true)
  await second?.journal.close()
  expect((await JournalFile.open(files, '/home/journal', true))?.records).toEqual([{ t: 'high', m: 2 }, { t: 'high', m: 3 }])
})
test('nothing is acknowledged from one that lost its name on a full disk, without room for the word', async () => {
  const files = await home()
  const first = await JournalFile.open(files, '/home/journal', true)
  const open = files.open.bind(files)
  files.open = async (path, how) => {
    const file = await open(path, how)
    files.open = open
    await files.unlink('/home/journal')
    await first!.journal.close()
    return file
  }
  const second = await JournalFile.open(files, '/home/journal', true)
  await expect(second!.journal.append({ t: 'folded' }, true)).rejects.toMatchObject({ kind: 'unavailable' })
  await second!.journal.close()
})
test('a journal that has its new name, of which the disk may not know, is the one that goes on', async () => {
  const files = await home()
  const opened = await JournalFile.open(files, '/home/journal', true)
  await opened!.journal.append({ t: 'high', m: 1 }, true)
  const sync = files.syncDirectory.bind(files)
  files.syncDirectory = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
  await expect(opened!.journal.rewrite([{ t: 'high', m: 2 }])).rejects.toThrow('EIO')
  await expect(opened!.journal.append({ t: 'high', m: 3 }, true)).rejects.toMatchObject({ message: expect.stringContaining('EIO') as string })
  files.syncDirectory = sync
  await opened!.journal.append({ t: 'high', m: 4 }, true)
  await opened!.journal.close()
  expect((await JournalFile.open(new VirtualFiles(files.disk), '/home/journal', true))?.records).toEqual([{ t: 'high', m: 2 }, { t: 'high', m: 4 }])
})
test('a journal whose removal was cut short says nothing of the next mailbox', async () => {
  const files = await home()
  const first = await JournalFile.open(files, '/home/journal', true)
  await first!.journal.append({ t: 'flags', u: [1, 1], h: 'add', s: 2, k: [] }, true)
  files.fault = { at: files.log.length + 2, code: 'EIO', lasting: false }
  await expect(first!.journal.remove()).rejects.toThrow('EIO')
  const second = await JournalFile.open(files, '/home/journal', true)
  expect(second?.records).toEqual([])
  await second?.journal.append({ t: 'high', m: 3 }, true)
  await second?.journal.close()
  expect((await JournalFile.open(files, '/home/journal', true))?.records).toEqual([{ t: 'high', m: 3 }])
})

test('DELETE: who selects another mailbox of the same inode meanwhile has that one, and its journal stays', async () => {
  const files = await home()
  const clock = new StillClock()
  const memory = new MemoryDriver(() => clock.now())
  let deleted: () => Promise<void> = () => Promise.resolve()
  const driver: MailDriver = {
    openStore: async (user) => {
      const store = await memory.openStore(user)
      const find = store.find.bind(store)
      const remove = store.remove.bind(store)
      return Object.assign(store, {
        find: async (...args: Parameters<typeof find>) => {
          const found = await find(...args)
          return found === undefined ? undefined : { ...found, key: 'inode' }
        },
        remove: async (...args: Parameters<typeof remove>) => {
          await remove(...args)
          await deleted()
        },
      })
    },
  }
  const logger = new QuietLogger()
  const stateOf = () => stateKeeper({ files, settings: testSettings, clock, logger, pool: new SegmentPool() }, place.at, alice)
  await using f = mailFixture({ clock, driver, stateOf })
  const [a, b] = [await f.login(), await f.login()]
  await a.create(named('old'), { specialUse: [] }, never)
  await a.open(await a.locate(named('old'), 'open', never), 'read-write', never)
  let opening: Promise<MailboxView> | undefined
  deleted = async () => {
    await b.create(named('new'), { specialUse: [] }, never)
    opening = (async () => b.open(await b.locate(named('new'), 'open', never), 'read-write', never))()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await a.remove(await a.locate(named('old'), 'remove', never), never)
  const view = await opening!
  await view.sync(never)
  expect(view.take({ expunge: true })).toBeUndefined()
  expect(await files.stat(`${folder}/journal`)).toBeDefined()
  expect(logger.lines).toEqual([])
})
