import { readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM, uids, type Files, type MailLocation, type MailStore, type MailUser, type Mount } from '../../../core/api/index.js'
import { systemClock } from '../../../core/os/clock.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { Box, never } from '../../../core/testing/box.js'
import { includes, rangesOf, readOf, withRead } from '../../../plugins/formats/news/newsrc.js'
import { NewsDriver } from '../../../plugins/formats/news/store.js'
import { withOpened } from '../../support/changed-files.js'
import { goldenFolder, goldenMailboxes, rowsOfGolden } from '../../support/golden.js'

const files = new SystemFiles(await nativeLocks())
const mount: Mount = { prefix: '#news.', class: 'shared', store: 'news', root: 'news', advertised: true, listed: false }
const at = (path: string): MailLocation => ({ mount, path })

describe('news: a local spool', () => {
  let folder = ''
  let store: MailStore
  const newsrc = (): Promise<string> => readFile(join(folder, '.newsrc'), 'utf8')
  beforeEach(async () => {
    folder = await goldenFolder('news')
    await writeFile(join(folder, '.newsrc'), await readFile(join(folder, 'newsrc.before')))
    const user: MailUser = { name: 'alice', kind: 'account', home: folder, facts: {} }
    store = await new NewsDriver({ spool: join(folder, 'spool'), active: join(folder, 'active'), stateFile: '.newsrc' }, { files, clock: systemClock, durable: true }).openStore(user)
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  async function open(group: string): Promise<Box> {
    const found = await store.find(at(group), never)
    if (found === undefined) throw new Error(`${group} is not found`)
    const box = new Box(group, await found.open(never))
    await box.refresh({ claimRecent: true })
    return box
  }

  test('the golden group is read as the reference library reads it', async () => {
    const [golden] = await goldenMailboxes('news')
    const box = await open('comp.mail.misc')
    expect(box.rows).toEqual(golden === undefined ? [] : rowsOfGolden(golden))
    expect([box.table.uidValidity, box.table.uidNext]).toEqual([0xbeefface, 6])
    for await (const batch of box.source.read(uids.all, { bytes: 'header', sections: [], facts: [] }, box.table.generation, never)) {
      expect(batch.map((m) => [m.uid, m.headerSize])).toEqual(golden?.messages.map((m) => [m.uid, m.header]))
    }
    expect((await box.messages()).map((m) => m.bytes.length)).toEqual(golden?.messages.map((m) => m.size))
  })

  test('\\Deleted on an article is written as the reference writes it; other flags are not kept', async () => {
    const box = await open('comp.mail.misc')
    await box.store({ uids: uids.one(5), system: SYSTEM.deleted | SYSTEM.seen, keywords: ['x'] })
    expect(await newsrc()).toBe(await readFile(join(folder, 'newsrc.after'), 'utf8'))
    expect(await readFile(join(folder, '.newsrc.old'), 'utf8')).toBe(await readFile(join(folder, 'newsrc.before'), 'utf8'))
    expect(box.rows.map((r) => r.flags)).toEqual(['deleted', '', 'deleted'])
    await box.expunge(uids.all)
    expect((await open('comp.mail.misc')).rows.map((r) => r.flags)).toEqual(['deleted', '', 'deleted'])
    await expect(box.expunge(uids.all, { always: true })).rejects.toThrow('articles cannot be removed')
    await box.store({ uids: uids.one(2), how: 'remove', system: SYSTEM.deleted })
    expect(await newsrc()).toBe('alt.test! 1-9\ncomp.mail.misc: 1,5\n')
  })

  test('of two processes that mark articles at the same time each keeps what the other marked', async () => {
    const user: MailUser = { name: 'alice', kind: 'account', home: folder, facts: {} }
    const process = async (using: Files): Promise<Box> => {
      const one = await new NewsDriver({ spool: join(folder, 'spool'), active: join(folder, 'active'), stateFile: '.newsrc' }, { files: using, clock: systemClock, durable: true }).openStore(user)
      const box = new Box('comp.mail.misc', await (await one.find(at('comp.mail.misc'), never))!.open(never))
      await box.refresh()
      return box
    }
    const other = await process(files)
    let marked: Promise<unknown> | undefined
    const slow = withOpened(files, (file) => ({
      // The other one begins when this one has written half.
      async write(chunks, where) {
        await file.write(chunks, where)
        marked ??= other.store({ uids: uids.one(3), system: SYSTEM.deleted })
        await new Promise((resolve) => setTimeout(resolve, 60))
      },
    }))
    const box = await process(slow)
    await box.store({ uids: uids.one(5), system: SYSTEM.deleted })
    await marked
    const wanted = (await newsrc()).split('\n').find((line) => line.startsWith('comp.mail.misc'))
    expect(wanted).toMatch(/3.*5|1-5/)
    await box.refresh()
    expect([box.rows.map((r) => r.flags), other.rows.map((r) => r.flags)]).toEqual([['deleted', 'deleted', 'deleted'], ['deleted', 'deleted', 'deleted']])
    expect(await readdir(folder)).not.toContain('.mailwright-.newsrc')
  })

  test('a group of which nothing is known yet is all new, and gets a line; so does a user without a file', async () => {
    await writeFile(join(folder, '.newsrc'), 'alt.test! 1-9\r\n')
    await (await open('comp.mail.misc')).store({ uids: uids.one(3), system: SYSTEM.deleted })
    expect(await newsrc()).toBe('alt.test! 1-9\r\ncomp.mail.misc: 1,3\r\n')
    await unlink(join(folder, '.newsrc'))
    const box = await open('comp.mail.misc')
    expect(box.rows.map((r) => r.flags)).toEqual(['', '', ''])
    await box.store({ uids: uids.all, system: SYSTEM.deleted })
    expect(await newsrc()).toBe('comp.mail.misc: 1-5\n')
  })

  test('an article that expires is gone; one that arrives is there', async () => {
    const box = await open('comp.mail.misc')
    await unlink(join(folder, 'spool/comp/mail/misc/3'))
    await writeFile(join(folder, 'spool/comp/mail/misc/9'), 'Subject: new\n\nhello\n')
    await box.refresh()
    expect(box.rows.map((r) => r.uid)).toEqual([2, 5, 9])
  })

  test('only groups of the list are there, and nothing is made, changed or posted', async () => {
    for (const path of ['comp.mail', 'comp', 'no.such', '../etc', 'comp/mail/misc', 'comp..mail', '']) expect([path, await store.find(at(path), never)]).toEqual([path, undefined])
    const names: unknown[] = []
    for await (const batch of store.list({ under: at(''), patterns: ['*'], wantChildren: true }, never)) names.push(...batch.map((e) => [e.path, e.selectable, e.children]))
    expect(names).toEqual([['alt', false, 'yes'], ['alt.test', true, 'no'], ['comp', false, 'yes'], ['comp.mail', false, 'yes'], ['comp.mail.misc', true, 'no']])
    await expect(store.create(at('new'), { specialUse: [] })).rejects.toThrow('cannot be created')
    await expect(store.remove(at('alt.test'))).rejects.toThrow('cannot be deleted')
    await expect(store.rename(at('alt.test'), at('x'))).rejects.toThrow('cannot be renamed')
    await expect(store.append(at('alt.test'), never)).rejects.toThrow('cannot be posted to')
  })

  test('without a home nothing can be kept, and anybody may read', async () => {
    const guest = await new NewsDriver({ spool: join(folder, 'spool'), active: join(folder, 'active'), stateFile: '.newsrc' }, { files, clock: systemClock, durable: true }).openStore({ name: 'guest', kind: 'anonymous', home: folder, facts: {} })
    const found = await guest.find(at('comp.mail.misc'), never)
    if (found === undefined) throw new Error('no group')
    const box = new Box('x', await found.open(never))
    await box.refresh()
    expect(box.rows.map((r) => r.flags)).toEqual(['', '', ''])
    await expect(box.store({ uids: uids.one(2), system: SYSTEM.deleted })).rejects.toThrow('keeps no news state')
  })
})

describe('newsrc', () => {
  const ranges = [
    { name: 'the rule of the reference: only 2 of 2 3 5', articles: [2, 3, 5], read: [2], text: [[1, 2]] },
    { name: '2 and 5 of 2 3 5', articles: [2, 3, 5], read: [2, 5], text: [[1, 2], [5, 5]] },
    { name: 'over expired numbers', articles: [2, 5, 7], read: [2, 5], text: [[1, 5]] },
    { name: 'none, and the first is 1', articles: [1, 2], read: [], text: [] },
    { name: 'none, and those before expired', articles: [4, 5], read: [], text: [[1, 3]] },
    { name: 'an empty group', articles: [], read: [], text: [] },
  ]
  test.each(ranges)('ranges: $name', ({ articles, read, text }) => expect(rangesOf(articles, (n) => read.includes(n))).toEqual(text))
  test('a range has its ends and what is between them', () => expect([1, 2, 5, 6].map((n) => includes([[2, 5]], n))).toEqual([false, true, true, false]))
  test('ranges of other newsreaders are taken in any order, also within each other', () => {
    const read = readOf('a: 9,1-7,3-4,7-8,20\n', 'a', '/x') ?? []
    expect([read, [0, 1, 8, 9, 10, 19, 20, 21].map((n) => includes(read, n))]).toEqual([[[1, 8], [9, 9], [20, 20]], [false, true, true, true, false, false, true, false]])
  })
  test('of a hundred thousand ranges each article asks few', () => {
    const read = Array.from({ length: 100_000 }, (_, n) => [2 * n + 1, 2 * n + 1] as const)
    let found = 0
    for (let article = 1; article <= 200_000; article++) if (includes(read, article)) found++
    expect(found).toBe(100_000)
  })
  test.each(['\n', '\r\n', '\r'])('line ends %j are kept, and everything else', (end) => {
    const text = `a: 1-2${end}b! 3${end}odd line${end}`
    expect(withRead(text, 'b', [[1, 4]], '/x')).toBe(`a: 1-2${end}b! 1-4${end}odd line${end}`)
    expect(withRead(text, 'c', [[7, 7]], '/x')).toBe(`${text}c: 7${end}`)
    expect(readOf(text, 'b', '/x')).toEqual([[3, 3]])
  })
  test('what is no list is told', () => {
    expect(() => readOf('a: 1-x\n', 'a', '/x')).toThrow('Bogus character 0x78 in news state')
    expect(() => readOf('a: 1', 'a', '/x')).toThrow('Unknown newline convention in /x')
    expect(readOf('ab: 1\n', 'a', '/x')).toBeUndefined()
  })
})
