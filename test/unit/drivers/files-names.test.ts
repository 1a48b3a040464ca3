import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DriverAbout, Entry, MailboxFormat, MailLocation, MailStore, Mount } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { fromDisk, toDisk } from '../../../plugins/drivers/files/names.js'
import { FilesDriver } from '../../../plugins/drivers/files/store.js'
import { TextFormat } from '../../../plugins/formats/shared/text/format.js'
import { mailboxSettings, never, unixContext } from '../../support/unix.js'

const about: DriverAbout = { modseqs: false, keywords: 'any', uidsPersist: true, hierarchy: false, watches: true, facts: [], manyProcesses: true, acceptsUids: false }
const files = new SystemFiles(undefined)
const how = { specialUse: [] }
let home: string
let mount: Mount
let store: MailStore
let warned: unknown[]
beforeEach(async () => {
  warned = []
  home = await mkdtemp(join(tmpdir(), 'files-names-'))
  mount = { prefix: '', class: 'personal', store: 'files', root: home, inbox: join(home, 'INBOX'), advertised: true, listed: true }
  const formats: Entry<MailboxFormat, DriverAbout>[] = [{ name: 'unix', plugin: 'format-unix', about, made: new TextFormat(unixContext(files, home)) }]
  const driver = new FilesDriver({
    files, formats, choice: { create: 'unix', empty: 'unix' }, mailbox: mailboxSettings('{home}/state/{user}'), listing: { maxDepth: 20, maxEntries: 0, hideDotFiles: false },
    logger: { warn: (...said) => void warned.push(said) },
  })
  store = await driver.openStore({ name: 'alice@example.org', kind: 'account', home, facts: {} })
})
afterEach(() => rm(home, { recursive: true, force: true }))
const at = (path: string, of = mount): MailLocation => ({ mount: of, path })
async function paths(...patterns: string[]): Promise<string[]> {
  const out: string[] = []
  for await (const batch of store.list({ under: at(''), patterns, wantChildren: true }, never)) out.push(...batch.map((e) => e.path))
  return out
}

describe('names of files', () => {
  test('are in modified UTF-7, as other programs write them', async () => {
    await store.create(at('Entwürfe/日本'), how)
    await store.create(at('R&D'), how)
    expect((await readdir(home)).sort()).toEqual(['Entw&APw-rfe', 'R&-D'])
    expect(await paths('*')).toEqual(['Entwürfe', 'R&D', 'Entwürfe/日本'])
    expect(await paths('Entwürfe/%')).toEqual(['Entwürfe', 'Entwürfe/日本'])
    expect(await store.find(at('Entwürfe/日本'), never)).toBeDefined()
    await store.rename(at('Entwürfe'), at('Früher'))
    expect((await readdir(home)).sort()).toEqual(['Fr&APw-her', 'R&-D'])
    await store.remove(at('R&D'))
    expect(await readdir(home)).toEqual(['Fr&APw-her'])
  })
  test('that are spelled otherwise are found as they are', async () => {
    await mkdir(join(home, 'Entwürfe'))
    await writeFile(join(home, 'Entwürfe', 'R&D'), '')
    expect(await paths('*')).toEqual(['Entwürfe', 'Entwürfe/R&D'])
    expect(await store.find(at('Entwürfe/R&D'), never)).toBeDefined()
    await store.create(at('Entwürfe/ö'), how)
    expect((await readdir(join(home, 'Entwürfe'))).sort()).toEqual(['&APY-', 'R&D'])
  })
  test('of two files of one name the one that is named is listed, and the log hears once of the other', async () => {
    for (const name of ['ü', '&APw-']) await writeFile(join(home, name), '')
    expect(await paths('*')).toEqual(['ü'])
    expect(await paths('%')).toEqual(['ü'])
    expect(warned).toEqual([['files.mailbox-hidden', { path: join(home, 'ü'), by: join(home, '&APw-') }]])
    await store.remove(at('ü'))
    expect(await readdir(home)).toEqual(['ü'])
  })
  test('are not listed where no client could name them', async () => {
    await writeFile(Buffer.concat([Buffer.from(`${home}/bad`), Buffer.of(0xff)]), '')
    await writeFile(join(home, 'two\nlines'), '')
    await writeFile(join(home, '&AA0-'), '')
    expect(await paths('*')).toEqual([])
  })
  test('lead there and back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), async (name) => {
        fc.pre(!/[/\0\r\n\uFFFD]/.test(name))
        expect(fromDisk((await toDisk(files, home, name)).slice(home.length + 1))).toBe(name)
      }),
    )
  })
})

describe('what the server keeps for itself', () => {
  const names = ['.mailwright', '.mailwright/x', 'a/../.mailwright/x', '.mailboxlist', '.mlbxlsttmp', '.mlbxlsttmp.mailwright', '.box.mailwright-redo', 'state/alice%40example.org', 'state/alice%40example.org/x']
  beforeEach(async () => {
    await mkdir(join(home, '.mailwright'))
    await mkdir(join(home, 'state', 'alice%40example.org'), { recursive: true })
    for (const name of ['.mailwright/x', '.mailboxlist', '.mlbxlsttmp', '.mlbxlsttmp.mailwright', '.box.mailwright-redo', 'state/alice%40example.org/x', 'box']) await writeFile(join(home, name), '')
  })
  test.each(names)('%s has no name', async (name) => {
    const gone = { kind: 'not-found' }
    await expect(store.find(at(name), never)).rejects.toMatchObject(gone)
    await expect(store.create(at(`${name}/new`), how)).rejects.toMatchObject(gone)
    await expect(store.append(at(name), never)).rejects.toMatchObject(gone)
    await expect(store.remove(at(name))).rejects.toMatchObject(gone)
    await expect(store.rename(at(name), at('new'))).rejects.toMatchObject(gone)
    await expect(store.rename(at('box'), at(name))).rejects.toMatchObject(gone)
    const machine: Mount = { ...mount, prefix: '/', class: 'shared', root: '/' }
    await expect(store.find(at(`${home.slice(1)}/${name}`, machine), never)).rejects.toMatchObject(gone)
  })
  test('is not listed', async () => expect(await paths('*')).toEqual(['box', 'state']))
  test('a lock beside its mailbox has no name, and none is made', async () => {
    await writeFile(join(home, 'box.lock'), '')
    await expect(store.remove(at('box.lock'))).rejects.toMatchObject({ kind: 'not-found' })
    await expect(store.create(at('other.lock'), how)).rejects.toMatchObject({ kind: 'denied' })
    await expect(store.rename(at('box'), at('other.lock'))).rejects.toMatchObject({ kind: 'denied' })
  })
})

describe('INBOX', () => {
  beforeEach(() => writeFile(join(home, 'INBOX'), ''))
  test.each(['INBOX', 'inbox', './INBOX', 'x/../INBOX', 'INBOX/'])('%s cannot be deleted nor renamed', async (name) => {
    await expect(store.remove(at(name))).rejects.toMatchObject({ kind: 'denied' })
    await expect(store.rename(at(name), at('box'))).rejects.toMatchObject({ kind: 'denied' })
    expect((await stat(join(home, 'INBOX'))).isFile()).toBe(true)
  })
  test('kept under another name is not listed under that', async () => {
    await writeFile(join(home, 'spool'), '')
    mount = { ...mount, inbox: join(home, 'spool') }
    expect(await paths('*')).toEqual([])
    await expect(store.remove(at('spool'))).rejects.toMatchObject({ kind: 'denied' })
  })
})

describe('what is neither file nor directory', () => {
  test('is no mailbox, and nobody waits for it', async () => {
    execFileSync('mkfifo', [join(home, 'pipe')])
    await expect(store.find(at('pipe'), never)).rejects.toMatchObject({ kind: 'corrupt' })
    await expect(store.append(at('pipe'), never)).rejects.toMatchObject({ kind: 'corrupt' })
    expect(await paths('*')).toEqual([])
    await store.remove(at('pipe'))
  })
  test('a link to a directory is deleted as a link', async () => {
    await mkdir(join(home, 'dir'))
    await writeFile(join(home, 'dir', 'box'), '')
    await symlink('dir', join(home, 'link'))
    await store.remove(at('link'))
    expect(await paths('*')).toEqual(['dir', 'dir/box'])
  })
  test('links around the top end there', async () => {
    await symlink('.', join(home, 'self'))
    expect(await paths('*')).toEqual(['self'])
  })
})

test('ten thousand mailboxes are listed', async () => {
  await mkdir(join(home, 'many'))
  for (let i = 0; i < 10_000; i += 500) await Promise.all(Array.from({ length: 500 }, (_, n) => writeFile(join(home, 'many', `box${i + n}`), '')))
  expect((await paths('*')).length).toBe(10_001)
})
