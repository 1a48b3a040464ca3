import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { delegate } from '../../../core/api/index.js'
import type { DriverAbout, Entry, MailboxEntry, MailboxFormat, MailLocation, MailStore, MailUser, Mount } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { FilesDriver } from '../../../plugins/drivers/files/store.js'
import { mmdfDialect } from '../../../plugins/formats/mmdf/dialect.js'
import { MixFormat } from '../../../plugins/formats/mix/format.js'
import { MxFormat } from '../../../plugins/formats/mx/format.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { directoryContext } from '../../support/directory-formats.js'
import { mailboxSettings, never, unixContext } from '../../support/unix.js'

const about: DriverAbout = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: false }

describe('the files store', () => {
  let dir = ''
  let home = ''
  let store: MailStore
  let mount: Mount
  const how = { specialUse: [] }
  async function storeWith(listing: Partial<{ maxDepth: number; maxEntries: number; hideDotFiles: boolean }> = {}): Promise<MailStore> {
    const files = new SystemFiles(await nativeLocks())
    const formats: Entry<MailboxFormat, DriverAbout>[] = [{ name: 'unix', plugin: 'format-unix', about, made: new TextFormat(unixContext(files, dir)) }]
    const user: MailUser = { name: 'alice', kind: 'account', home, facts: {} }
    const mailbox = { ...mailboxSettings('{home}/.mailwright'), directoryMode: 0o750 }
    return new FilesDriver({ files, formats, choice: { create: 'unix', empty: 'unix' }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false, ...listing } }).openStore(user)
  }
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mailwright-files-'))
    home = join(dir, 'home')
    await mkdir(home)
    mount = { prefix: '', class: 'personal', store: 'files', root: home, inbox: join(dir, 'spool', 'alice'), advertised: true, listed: true }
    store = await storeWith()
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))
  const at = (path: string, format?: string): MailLocation => ({ mount, path, ...(format !== undefined && { format }) })
  async function list(patterns: readonly string[], from = store): Promise<MailboxEntry[]> {
    const out: MailboxEntry[] = []
    for await (const batch of from.list({ under: at(''), patterns, wantChildren: true }, never)) out.push(...batch)
    return out
  }
  const paths = async (...patterns: string[]): Promise<string[]> => (await list(patterns)).map((e) => e.path)

  test('CREATE makes superior directories with their mode, and a trailing slash a directory alone', async () => {
    await store.create(at('a/b/box'), how)
    expect((await stat(join(home, 'a'))).mode & 0o777).toBe(0o750)
    expect((await stat(join(home, 'a/b/box'))).mode & 0o777).toBe(0o600)
    await store.create(at('folder/'), how)
    expect((await stat(join(home, 'folder'))).isDirectory()).toBe(true)
    await expect(store.create(at('a/b/box'), how)).rejects.toMatchObject({ kind: 'exists' })
    await expect(store.create(at('a/b/box/under'), how)).rejects.toThrow("Can't create mailbox node")
    await expect(store.create(at('x', 'mbx'), how)).rejects.toMatchObject({ kind: 'not-found' })
  })

  test('a file that a format took is asked of that format alone, until it is another one, or the format does not know it any more', async () => {
    const files = new SystemFiles(await nativeLocks())
    const asked: string[] = []
    const watched = (name: string, made: TextFormat): Entry<MailboxFormat, DriverAbout> => ({
      name, plugin: `format-${name}`, about,
      made: delegate<MailboxFormat>(made, [], { recognise: (...args) => (asked.push(name), made.recognise(...args)) }),
    })
    const formats = [watched('mmdf', new TextFormat(unixContext(files, dir, { dialect: mmdfDialect }))), watched('unix', new TextFormat(unixContext(files, dir)))]
    const mailbox = mailboxSettings('{home}/.mailwright')
    const both = await new FilesDriver({ files, formats, choice: { create: 'unix', empty: 'unix' }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
      .openStore({ name: 'alice', kind: 'account', home, facts: {} })
    const asks = async (): Promise<readonly string[]> => {
      asked.length = 0
      expect(await both.find(at('box'), never)).toBeDefined()
      return [...asked]
    }
    const unix = 'From a@example.org Mon Jan  5 09:08:07 2015\nSubject: one\n\nhello\n\n'
    const mmdf = `\x01\x01\x01\x01\n${unix}\x01\x01\x01\x01\n`
    await writeFile(join(home, 'box'), unix)
    expect([await asks(), await asks()]).toEqual([['mmdf', 'unix'], ['unix']])
    await writeFile(join(home, 'box'), unix + unix)
    expect(await asks()).toEqual(['unix'])
    await writeFile(join(home, 'new'), mmdf + mmdf)
    await rename(join(home, 'new'), join(home, 'box'))
    expect([await asks(), await asks()]).toEqual([['mmdf'], ['mmdf']])
    // The same file, shorter.
    await writeFile(join(home, 'box'), unix)
    expect(await asks()).toEqual(['mmdf', 'unix'])
  })

  test('LIST gives files, directories and what it can tell of them without opening a file', async () => {
    await store.create(at('box'), how)
    await store.create(at('dir/in'), how)
    await store.create(at('empty/'), how)
    await writeFile(join(home, 'zero'), '')
    await utimes(join(home, 'box'), 1, 2)
    expect(await list(['%'])).toEqual([
      { path: 'box', selectable: true, children: 'no', inferiors: false, marked: true, attributes: [] },
      { path: 'dir', selectable: false, children: 'yes', inferiors: true, attributes: [] },
      { path: 'empty', selectable: false, children: 'no', inferiors: true, attributes: [] },
      { path: 'zero', selectable: true, children: 'no', inferiors: false, marked: false, attributes: [] },
    ])
    expect(await paths('*')).toEqual(['box', 'dir', 'empty', 'zero', 'dir/in'])
    // `dir/` matches too; who asks decides how to show it.
    expect(await paths('dir/%')).toEqual(['dir', 'dir/in'])
    expect(await paths('*/in', 'zero')).toEqual(['zero', 'dir/in'])
    expect(await paths('nothing')).toEqual([])
  })

  test('what is no mailbox is not listed: state, locks, redo files, subscriptions, a file INBOX', async () => {
    await mkdir(join(home, '.mailwright'))
    for (const name of ['INBOX', '.mailboxlist', 'box', 'box.lock', '.box.mailwright-redo', 'lonely.lock', '.profile']) await writeFile(join(home, name), 'x')
    expect(await paths('*')).toEqual(['.profile', 'box', 'lonely.lock'])
    expect((await list(['*'], await storeWith({ hideDotFiles: true }))).map((e) => e.path)).toEqual(['box', 'lonely.lock'])
  })

  test('loops of symbolic links end, and so do depth and number of entries', async () => {
    await mkdir(join(home, 'a/b/c/d'), { recursive: true })
    await symlink(join(home, 'a'), join(home, 'a/b/loop'))
    await symlink(join(home, 'a/b/c'), join(home, 'again'))
    await symlink(join(home, 'nowhere'), join(home, 'dangling'))
    expect(await paths('*')).toEqual(['a', 'again', 'a/b', 'a/b/c', 'a/b/loop', 'a/b/c/d', 'again/d'])
    expect((await list(['*'], await storeWith({ maxDepth: 2 }))).map((e) => e.path)).toEqual(['a', 'again', 'a/b', 'again/d'])
    // It is "*" that goes no deeper; a name that says itself where it is is found.
    for (const pattern of ['a/b/c/d', 'a/b/%/d', 'a/b/c/*']) expect((await list([pattern], await storeWith({ maxDepth: 2 }))).map((e) => e.path), pattern).toContain('a/b/c/d')
    expect((await list(['*'], await storeWith({ maxEntries: 3 }))).length).toBe(3)
  })

  test('a CREATE of INBOX in a format that takes none over there leaves what lies in the folder', async () => {
    const files = new SystemFiles(await nativeLocks())
    const formats: Entry<MailboxFormat, DriverAbout>[] = [{ name: 'mx', plugin: 'format-mx', about, made: new MxFormat(directoryContext(files)) }]
    const mailbox = mailboxSettings('{home}/.mailwright')
    const elsewhere = await new FilesDriver({ files, formats, choice: { create: 'mx', empty: 'mx' }, mailbox, listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
      .openStore({ name: 'alice', kind: 'account', home, facts: {} })
    await mkdir(join(dir, 'mail'))
    await mkdir(join(home, 'INBOX'))
    await writeFile(join(home, 'INBOX', '7'), 'Subject: kept\n\n')
    await expect(elsewhere.create({ mount: { ...mount, root: join(dir, 'mail') }, path: 'INBOX', format: 'mx' }, how)).rejects.toThrow('has no INBOX of its own')
    expect(await readdir(join(home, 'INBOX'))).toEqual(['7'])
  })
  test.each([
    { name: 'mix', make: (files: SystemFiles) => new MixFormat(directoryContext(files)), parts: ['.mixmeta', '.mixindex', '.mixstatus', '.mix7fffffff'] },
    { name: 'mx', make: (files: SystemFiles) => new MxFormat(directoryContext(files)), parts: ['.mxindex', '1', '7'] },
  ])('what a mailbox is made of has no name of its own, by which it could be deleted: $name', async ({ name, make, parts }) => {
    const files = new SystemFiles(await nativeLocks())
    const formats: Entry<MailboxFormat, DriverAbout>[] = [{ name, plugin: name, about, made: make(files) }, { name: 'unix', plugin: 'format-unix', about, made: new TextFormat(unixContext(files, dir)) }]
    const both = await new FilesDriver({ files, formats, choice: { create: name, empty: 'unix' }, mailbox: mailboxSettings('{home}/.mailwright'), listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false } })
      .openStore({ name: 'alice', kind: 'account', home, facts: {} })
    await both.create(at('box'), how)
    await both.create(at('box/other', 'unix'), how)
    const delivery = await both.append(at('box'), never)
    // A message that looks like a mailbox itself.
    const text = Buffer.from('From a@example.org Mon Jan  5 09:08:07 2015\nSubject: one\n\nhello\n')
    await delivery.add({ size: text.length, bytes: (async function* () { yield text })(), binary: false, system: 0, keywords: [], facts: new Map() }, never)
    await delivery.commit(undefined, never)
    const before = await readdir(join(home, 'box'))
    const gone = { kind: 'not-found' }
    for (const part of parts.map((p) => at(`box/${p}`))) {
      await expect(both.find(part, never), part.path).rejects.toMatchObject(gone)
      await expect(both.append(part, never), part.path).rejects.toMatchObject(gone)
      await expect(both.create({ ...part, format: 'unix' }, how), part.path).rejects.toMatchObject(gone)
      await expect(both.remove(part), part.path).rejects.toMatchObject(gone)
      await expect(both.rename(part, at('aside')), part.path).rejects.toMatchObject(gone)
      await expect(both.rename(at('box/other'), part), part.path).rejects.toMatchObject(gone)
    }
    expect(await readdir(join(home, 'box'))).toEqual(before)
    await both.create(at('plain/one', 'unix'), how)
    for (const folder of ['plain', 'none']) await expect(both.create(at(`${folder}/${parts[0]}`, 'unix'), how), 'a folder would become a mailbox that is damaged').rejects.toMatchObject(gone)
    expect(await readdir(join(home, 'plain'))).toEqual(['one'])
    // Elsewhere such a name is as good as any.
    await both.create(at('years/7', 'unix'), how)
    expect(await both.find(at('years/7'), never)).toBeDefined()
    expect(await both.find(at('box/other'), never)).toBeDefined()
  })
  test('INBOX is where the mount says, exists always, and comes into being with what is delivered', async () => {
    const found = await store.find(at('INBOX'), never)
    expect([found?.empty, (await stat(join(dir, 'spool/alice'))).size]).toEqual([true, 0])
    const delivery = await store.append(at('inbox'), never)
    await delivery.add({ size: 5, bytes: (async function* () { yield Buffer.from('A: b\n') })(), binary: false, system: 0, keywords: [], facts: new Map() }, never)
    await delivery.commit(undefined, never)
    expect(await readFile(join(dir, 'spool/alice'), 'latin1')).toMatch(/^From alice@/)
    expect((await store.find(at('inbox'), never))?.empty).toBe(false)
  })

  test('the key is the physical mailbox, whatever its name', async () => {
    await store.create(at('box'), how)
    await symlink(join(home, 'box'), join(home, 'other'))
    const [one, two] = [await store.find(at('box'), never), await store.find(at('other'), never)]
    expect(one?.key).toBe(two?.key)
    expect(await store.find(at('none'), never)).toBeUndefined()
    await store.create(at('folder/'), how)
    expect(await store.find(at('folder'), never)).toBeUndefined()
    await writeFile(join(home, 'text'), 'no mailbox')
    await expect(store.find(at('text'), never)).rejects.toMatchObject({ kind: 'corrupt' })
  })

  test('APPEND to what was found just now looks for it no more, and to what somebody made of that it does', async () => {
    await store.create(at('box'), how)
    const found = await store.find(at('box'), never)
    await rm(join(home, 'box'))
    expect(found).toBeDefined()
    const delivery = await store.append(at('box'), never, found)
    await delivery.abort()
    await expect(store.append(at('box'), never, found && { ...found })).rejects.toMatchObject({ kind: 'not-found' })
  })

  test('APPEND to what is not there says so, and to a file of no format makes one', async () => {
    await expect(store.append(at('none'), never)).rejects.toMatchObject({ kind: 'not-found' })
    await writeFile(join(home, 'text'), 'no mailbox')
    await expect(store.append(at('text'), never)).rejects.toMatchObject({ kind: 'corrupt' })
  })

  test('RENAME moves files and directories and makes superiors; DELETE takes files and empty directories', async () => {
    await store.create(at('a/box'), how)
    await store.rename(at('a/box'), at('b/c/box'))
    expect(await paths('*')).toEqual(['a', 'b', 'b/c', 'b/c/box'])
    await store.rename(at('b'), at('d'))
    await expect(store.rename(at('d'), at('d/e'))).rejects.toMatchObject({ kind: 'denied' })
    await expect(store.rename(at('none'), at('x'))).rejects.toMatchObject({ kind: 'not-found' })
    await expect(store.rename(at('a'), at('d'))).rejects.toMatchObject({ kind: 'exists' })
    await expect(store.remove(at('d'))).rejects.toMatchObject({ kind: 'denied' })
    await store.remove(at('d/c/box'))
    await store.remove(at('d/c'))
    await store.remove(at('a'))
    await expect(store.remove(at('a'))).rejects.toMatchObject({ kind: 'not-found' })
    expect(await paths('*')).toEqual(['d'])
    expect((await readdir(dir)).sort()).toEqual(['home'])
  })

  test('a mount without root has no files', async () => {
    const nowhere: Mount = { ...mount, class: 'others', prefix: '~', root: '' }
    const out: unknown[] = []
    for await (const batch of store.list({ under: { mount: nowhere, path: '' }, patterns: ['*'], wantChildren: true }, never)) out.push(...batch)
    expect(out).toEqual([])
    await expect(store.find({ mount: nowhere, path: 'etc/passwd' }, never)).rejects.toMatchObject({ kind: 'not-found' })
  })
})
