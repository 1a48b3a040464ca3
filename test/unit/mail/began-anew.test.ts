import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type Files, type MailboxFormat, type FoundMailbox, type MailboxSource, type MailDriver, type TableEdit } from '../../../core/api/index.js'
import { SegmentPool } from '../../../core/mail/cache/fact-store.js'
import { SourceRegistry } from '../../../core/mail/registry/registry.js'
import { stateKeeper } from '../../../core/mail/registry/state-folders.js'
import type { SharedMailbox } from '../../../core/mail/registry/shared-mailbox.js'
import { VirtualFiles } from '../../../core/testing/disk/virtual-files.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { MemoryDriver } from '../../../plugins/drivers/memory/store.js'
import { change, disk, flags, homes, serverProcess } from '../../support/journalled.js'
import { QuietLogger, StillClock, alice, listOf, mailFixture, named, never, testSettings } from '../../support/mail.js'
import { TableView } from '../../../core/mail/view/view.js'
import { nobodysLogin, PassiveSource, place, sharedOver } from '../../support/mail-table.js'
import type { Box } from '../../../core/testing/box.js'
import { sampleMessage } from '../../../core/testing/messages.js'
import { mbxDialect } from '../../../plugins/formats/mbx/dialect.js'
import { FixedFormat } from '../../../plugins/formats/shared/fixed/format.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { deliverTo, directoryContext, openBox, placeAt } from '../../support/directory-formats.js'
import { fixedContextOf } from '../../support/fixed.js'
import { OpenUnix, unixContext } from '../../support/unix.js'

const sharedView = (m: SharedMailbox): TableView => new TableView(m, place, false, nobodysLogin)

describe('numbers that mean other messages now', () => {
  test('journalled flags are not laid over the messages of a mailbox that began anew while it is open', async () => {
    const d = disk([1, 0])
    const p = serverProcess(await homes())
    const m = await p.open(d)
    await m.store(change('add', SYSTEM.deleted, 1), undefined, never)
    d.uidValidity = 8
    d.version++
    d.messages.set(1, { system: 0, keywords: [] })
    await m.refresh(never)
    expect(m.table.uidValidity).toBe(8)
    expect(flags(m)).toEqual({ 1: 0 })
    // What was never asked of it:
    expect(listOf(await m.expunge(uids.all, false, never))).toEqual([])
    expect([...d.messages.keys()]).toEqual([1])
    await p.registry[Symbol.asyncDispose]()
  })
  test('the same where the checkpoint finds it', async () => {
    const d = disk([1, 0])
    const p = serverProcess(await homes())
    const m = await p.open(d)
    await m.store(change('add', SYSTEM.deleted, 1), undefined, never)
    d.interfere = () => {
      d.uidValidity = 8
      d.version++
      d.messages.set(1, { system: 0, keywords: [] })
    }
    await m.checkpoint(never).catch(() => undefined)
    expect(m.table.uidValidity).toBe(8)
    expect([flags(m), d.messages.get(1)!.system]).toEqual([{ 1: 0 }, 0])
    await p.registry[Symbol.asyncDispose]()
  })
  test('a session that has not heard of it changes and removes nothing by its old numbers', async () => {
    const { shared, view } = sharedOver(new PassiveSource())
    const begin = (validity: number) => async (edit: TableEdit) => {
      edit.reset(validity)
      edit.add(1, edit.flagSet(0, []), false)
    }
    await shared.edit(begin(1), never)
    const session = view()
    // Another session's look.
    await shared.edit(begin(2), never)
    await session.store({ uids: uids.one(1), how: 'add', system: SYSTEM.flagged, keywords: [] }, true, never).catch(() => undefined)
    expect(flags(shared)).toEqual({ 1: 0 })
    await session.remove(uids.one(1), never).catch(() => undefined)
    expect(shared.table.length).toBe(1)
  })
})

describe('a unix mailbox replaced between the copy of MOVE (or the last look of POP3) and the removal', () => {
  let dir = ''
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-anew-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const text = (validity: number, subject: string) => `From a@b Mon Jan  5 09:08:07 2015\nX-IMAPbase: ${validity} 1\nX-UID: 1\nStatus: O\nSubject: ${subject}\n\n${subject}\n\n`
  test('messages of the other mailbox stay', async () => {
    const path = join(dir, 'box')
    await writeFile(path, text(1000, 'first'))
    const box = await OpenUnix.open(unixContext(new SystemFiles(await nativeLocks()), dir), path)
    await box.refresh(true)
    expect([box.table.uidValidity, box.uids]).toEqual([1000, [1]])
    const { shared } = sharedOver(box.source)
    await shared.refresh(never)
    await writeFile(`${path}.new`, text(2000, 'never seen'))
    await rename(`${path}.new`, path)
    await expect(shared.expunge(uids.one(1), true, never)).rejects.toMatchObject({ kind: 'vanished' })
    expect(await readFile(path, 'latin1')).toContain('never seen')
  })
  test('a base in a message that was delivered does not make the mailbox unusable', async () => {
    const path = join(dir, 'box')
    await writeFile(path, 'From a@b Mon Jan  5 09:08:07 2015\nX-IMAPbase: 1 4294967295\nSubject: evil\n\nx\n\n')
    const box = await OpenUnix.open(unixContext(new SystemFiles(await nativeLocks()), dir), path)
    await box.refresh(true)
    await appendFile(path, 'From a@b Mon Jan  5 09:08:07 2015\nSubject: two\n\nx\n\n')
    await box.refresh(true)
    expect(box.uids.length).toBe(2)
  })
  test('a keyword that the file does not take is not told as set', async () => {
    const path = join(dir, 'box')
    await writeFile(path, text(1000, 'first'))
    const box = await OpenUnix.open(unixContext(new SystemFiles(await nativeLocks()), dir), path)
    await box.refresh(true)
    const word = 'k'.repeat(60)
    await box.edit((edit) => box.source.store({ uids: uids.one(1), how: 'add', system: 0, keywords: [word] }, edit, never))
    const told = box.flags(0).keywords
    const again = await OpenUnix.open(unixContext(new SystemFiles(await nativeLocks()), dir), path)
    await again.refresh(true)
    expect(told).toEqual(again.flags(0).keywords)
  })
})

describe('openings', () => {
  test('who waits for a mailbox that takes long to close can leave', async () => {
    const registry = new SourceRegistry(new StillClock(), new QuietLogger())
    let end: () => void = () => undefined
    const found: FoundMailbox = { key: 'k', empty: false, open: async () => Object.assign(new PassiveSource(), { close: () => new Promise<void>((done) => (end = done)) }) }
    await registry.acquire(found, testSettings, undefined, never)
    const closing = registry.evict('k', 'deleted', false)
    await new Promise((resolve) => setTimeout(resolve, 5))
    const stop = new AbortController()
    const waiting = registry.acquire(found, testSettings, undefined, stop.signal).then(() => 'open', () => 'left')
    stop.abort()
    const outcome = await Promise.race([waiting, new Promise((resolve) => setTimeout(() => resolve('waits'), 50))])
    end()
    await closing
    expect(outcome).toBe('left')
  })
  test('the session that opened first and is cancelled does not fail another that waits for the same opening', async () => {
    const registry = new SourceRegistry(new StillClock(), new QuietLogger())
    let go: (() => void) | undefined
    const found: FoundMailbox = {
      key: 'k',
      empty: false,
      open: (signal) =>
        new Promise<MailboxSource>((done, fail) => {
          go = () => done(new PassiveSource())
          signal.addEventListener('abort', () => fail(signal.reason as Error))
        }),
    }
    const first = new AbortController()
    const one = registry.acquire(found, testSettings, undefined, first.signal)
    const two = registry.acquire(found, testSettings, undefined, never)
    one.catch(() => undefined)
    first.abort()
    go?.()
    await expect(two).resolves.toBeDefined()
    await registry[Symbol.asyncDispose]()
  })
  test('a mailbox that is deleted while a session looks at it for the first time is not opened as if nothing had been', async () => {
    const clock = new StillClock()
    const memory = new MemoryDriver(() => clock.now())
    let gate: Promise<void> | undefined
    let looking: () => void = () => undefined
    const driver: MailDriver = {
      openStore: async (user) => {
        const store = await memory.openStore(user)
        return new Proxy(store, {
          get(target, key) {
            const value: unknown = Reflect.get(target, key)
            if (key === 'find')
              return async (...args: Parameters<typeof target.find>) => {
                const found = await target.find(...args)
                if (found === undefined) return undefined
                return {
                  ...found,
                  open: async (signal: AbortSignal) => {
                    const source = await found.open(signal)
                    const refresh = source.refresh.bind(source)
                    source.refresh = async (...how) => {
                      await refresh(...how)
                      looking()
                      await gate
                    }
                    return source
                  },
                }
              }
            return typeof value === 'function' ? value.bind(target) : value
          },
        })
      },
    }
    await using fixture = mailFixture({ clock, driver })
    const [a, b] = [await fixture.login(), await fixture.login()]
    await a.create(named('box'), { specialUse: [] }, never)
    let release: () => void = () => undefined
    gate = new Promise((resolve) => (release = resolve))
    const begun = new Promise<void>((resolve) => (looking = resolve))
    const opening = (async () => a.open(await a.locate(named('box'), 'open', never), 'read-write', never))()
    opening.catch(() => undefined)
    await begun
    const removing = (async () => b.remove(await b.locate(named('box'), 'remove', never), never))()
    await new Promise((resolve) => setTimeout(resolve, 20))
    release()
    await removing
    const view = await opening.catch(() => undefined)
    if (view !== undefined) {
      await view.sync(never)
      expect(view.take({ expunge: true })).toMatchObject({ reset: true })
    }
  })
})

describe('mod-sequences', () => {
  async function crashed() {
    const files = await homes()
    const d = disk([1, 0], [2, 0])
    const p = serverProcess(files)
    const m = await p.open(d)
    p.registry.release(m)
    // Closed in order: rows, and the highest number.
    await p.registry[Symbol.asyncDispose]()
    return { files, d, m }
  }
  test('after a crash a mailbox in which nothing happens any more keeps its HIGHESTMODSEQ from one opening to the next', async () => {
    const { files, d } = await crashed()
    const q = serverProcess(files)
    const again = await q.open(d)
    await again.store(change('add', 1, 1), undefined, never)
    await again.checkpoint(never)
    // Rows are saved; then the machine stops.
    q.clock.advance(15_000)
    await again.inTurn(() => Promise.resolve())
    await new Promise((resolve) => setTimeout(resolve, 20))
    const disk1 = new VirtualFiles(files.disk)
    const seen: number[] = []
    for (let i = 0; i < 3; i++) {
      const r = serverProcess(disk1, { clock: new StillClock(Date.UTC(2026, 1, 1 + i)) })
      const m = await r.open(d)
      seen.push(m.table.highestModseq)
      await r.registry[Symbol.asyncDispose]()
    }
    expect(seen[2]).toBe(seen[1])
  })
})

describe('numbers that mean other messages now, in files', () => {
  let dir = ''
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-anew-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const text = (validity: number, subject: string) => `From a@b Mon Jan  5 09:08:07 2015\nX-IMAPbase: ${validity} 1\nX-UID: 1\nStatus: O\nSubject: ${subject}\n\n${subject}\n\n`
  async function unix() {
    const path = join(dir, 'box')
    const files = new SystemFiles(await nativeLocks())
    return { path, files, ctx: unixContext(files, dir) }
  }
  test('\\Deleted that was journalled for one mailbox never removes mail of the one that took its place', async () => {
    const { path, files, ctx } = await unix()
    await writeFile(path, text(1000, 'first'))
    const clock = new StillClock()
    const logger = new QuietLogger()
    const registry = new SourceRegistry(clock, logger)
    const keeper = stateKeeper({ files, settings: { ...testSettings, stateDirectory: `${dir}/state` }, clock, logger, pool: new SegmentPool() }, place.at, { ...alice, home: dir })
    expect(keeper).toBeDefined()
    const box = await OpenUnix.open(ctx, path)
    const m = await registry.acquire({ key: 'k', empty: false, open: async () => box.source }, testSettings, keeper, never)
    m.writers++
    await m.refresh(never)
    await m.store(change('add', SYSTEM.deleted, 1), undefined, never)
    expect(await readFile(path, 'latin1')).not.toContain('X-Status: D')
    await writeFile(`${path}.new`, text(2000, 'never seen'))
    await rename(`${path}.new`, path)
    await m.refresh(never)
    // Another session, which selected the mailbox anew.
    await m.expunge(uids.all, false, never)
    expect(await readFile(path, 'latin1')).toContain('never seen')
    await registry[Symbol.asyncDispose]()
  })
  test('one session alone: STORE \\Deleted, EXPUNGE, and in between or before another program put another mailbox in the place', async () => {
    const { path, files, ctx } = await unix()
    for (const before of [true, false]) {
      await rm(path, { force: true })
      await writeFile(path, text(1000, 'first'))
      const clock = new StillClock()
      const logger = new QuietLogger()
      const registry = new SourceRegistry(clock, logger)
      const keeper = stateKeeper({ files, settings: { ...testSettings, stateDirectory: `${dir}/state${String(before)}` }, clock, logger, pool: new SegmentPool() }, place.at, { ...alice, home: dir })
      const box = await OpenUnix.open(ctx, path)
      const m = await registry.acquire({ key: 'k', empty: false, open: async () => box.source }, testSettings, keeper, never)
      m.writers++
      await m.refresh(never)
      const view = sharedView(m)
      const replace = async (): Promise<void> => {
        await writeFile(`${path}.new`, text(2000, 'never seen'))
        await rename(`${path}.new`, path)
      }
      if (before) await replace()
      await view.store({ uids: uids.one(1), how: 'add', system: SYSTEM.deleted, keywords: [] }, true, never).catch(() => undefined)
      if (!before) await replace()
      await view.expunge(uids.all, never).catch(() => undefined)
      expect.soft(await readFile(path, 'latin1'), before ? 'before STORE' : 'between').toContain('never seen')
      await registry[Symbol.asyncDispose]()
    }
  })
  test('FETCH of a session that has not heard that the mailbox began anew gives out no other message', async () => {
    const { path, ctx } = await unix()
    await writeFile(path, text(1000, 'first'))
    const { shared, view } = sharedOver((await OpenUnix.open(ctx, path)).source)
    await shared.refresh(never)
    const session = view()
    await writeFile(`${path}.new`, text(2000, 'never seen'))
    await rename(`${path}.new`, path)
    // Another session's look.
    await shared.refresh(never)
    let got = ''
    try {
      for await (const batch of session.readUids(uids.one(1), { bytes: 'whole', sections: [], facts: [] }, never)) {
        for (const { bytes } of batch) {
          const into = new Uint8Array(bytes.size)
          await bytes.read(0, into, never)
          got += Buffer.from(into).toString('latin1')
        }
      }
    } catch {
      got += ''
    }
    expect(got).not.toContain('never seen')
  })
  test('an X-UID at the end of the numbers in a message that another program delivered', async () => {
    const { path, ctx } = await unix()
    await writeFile(path, `${text(1000, 'first')}From a@b Mon Jan  5 09:08:07 2015\nX-UID: 4294967295\nSubject: evil\n\nx\n\nFrom a@b Mon Jan  5 09:08:07 2015\nSubject: three\n\nx\n\n`)
    const box = await OpenUnix.open(ctx, path)
    await box.refresh(true)
    expect(box.uids.length).toBe(3)
  })
  test('a look that was spared makes nothing current that was said to have changed', async () => {
    const { path, files, ctx } = await unix()
    await writeFile(path, text(1000, 'first'))
    const { source } = await OpenUnix.open(ctx, path)
    let say: () => void = () => undefined
    const { shared, view } = sharedOver(Object.assign(source, { watch: (changed: () => void) => ((say = changed), { [Symbol.dispose]: () => undefined }) }))
    await shared.refresh(never)
    // SELECT finds the file; then something is delivered and said; then the look.
    const found = await files.stat(path)
    await appendFile(path, 'From a@b Mon Jan  5 09:08:07 2015\nSubject: two\n\nx\n\n')
    say()
    await shared.refresh(never, found)
    const session = view()
    // NOOP
    await session.sync(never)
    session.take({ expunge: true })
    expect(session.announced).toBe(2)
  })
})

describe('keywords that the mailbox has no room for', () => {
  let dir = ''
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-anew-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const formats: readonly (readonly [string, (files: Files) => MailboxFormat])[] = [
    ['mix', (files) => new MixFormat(directoryContext(files))],
    ['mx', (files) => new MxFormat(directoryContext(files))],
    ['unix', (files) => new TextFormat(unixContext(files, dir))],
    ['mbx', (files) => new FixedFormat(mbxDialect, fixedContextOf(files, dir))],
  ]
  const cases = formats.flatMap(([name, make]) => [
    { name, make, title: 'forty at once', words: Array.from({ length: 40 }, (_, i) => `word${i}`) },
    { name, make, title: 'one of 60 octets', words: ['k'.repeat(60)] },
  ])
  test.each(cases)('$name: $title; what a session is told is what another process finds', async ({ make, words }) => {
    const files = new SystemFiles(await nativeLocks())
    const path = join(dir, 'box')
    const format = make(files)
    await format.create(placeAt(path), {})
    await deliverTo(format, path, [sampleMessage(1)])
    const box = await openBox(format, path)
    await box.refresh({ claimRecent: true })
    await box.store({ uids: uids.all, keywords: words })
    const told = keywordsOf(box)
    await box.source.close()
    const again = await openBox(make(files), path)
    await again.refresh()
    const found = keywordsOf(again)
    await again.source.close()
    expect(told).toEqual(found)
  })
})
function keywordsOf({ table: { generation: g } }: Box): readonly string[] {
  return g.flagSets[g.flags[0]!]!.keywords.toSorted()
}
