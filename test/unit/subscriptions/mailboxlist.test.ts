import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Clock, Files, MailUser } from '../../../core/api/index.js'
import { systemClock } from '../../../core/os/clock.js'
import { SystemFiles } from '../../../core/os/files.js'
import { MailboxList } from '../../../plugins/subscriptions/mailboxlist/mailbox-list.js'
import { named, StillClock } from '../../support/mail.js'

let home: string
let list: MailboxList
let user: MailUser
const path = (): string => join(home, '.mailboxlist')
function listWith(change: { clock?: Clock; files?: Files; durability?: 'full' | 'relaxed' } = {}): MailboxList {
  const { clock = new StillClock(), files = new SystemFiles(undefined), durability = 'full' } = change
  return new MailboxList({ files, clock, mailbox: { fileMode: 0o600, directoryMode: 0o700, durability }, path: (u) => `${u.home}/.mailboxlist` })
}
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mailboxlist-'))
  list = listWith()
  user = { name: 'alice', kind: 'account', home, facts: {} }
})
afterEach(() => rm(home, { recursive: true, force: true }))

describe('.mailboxlist', () => {
  test('is empty where there is no file', async () => expect(await list.list(user)).toEqual([]))
  test('keeps the order of subscribing, one name a line', async () => {
    for (const name of ['zebra', 'INBOX', 'a/b']) await list.set(user, named(name), true)
    expect(await readFile(path(), 'latin1')).toBe('zebra\nINBOX\na/b\n')
    expect(await list.list(user)).toEqual(['zebra', 'INBOX', 'a/b'])
  })
  test('takes names out and leaves the others as they stood', async () => {
    await writeFile(path(), 'one\ntwo\nthree\n')
    await list.set(user, named('two'), false)
    expect(await readFile(path(), 'latin1')).toBe('one\nthree\n')
  })
  test('reads what other programs left: no last line end, CRLF, empty lines, repetitions', async () => {
    await writeFile(path(), 'one\r\n\n\ntwo\none\nthree')
    expect(await list.list(user)).toEqual(['one', 'two', 'three'])
  })
  test('a repeated name goes altogether', async () => {
    await writeFile(path(), 'one\ntwo\none\n')
    await list.set(user, named('one'), false)
    expect(await list.list(user)).toEqual(['two'])
  })
  test('sees at once what another program wrote', async () => {
    await list.set(user, named('one'), true)
    await writeFile(path(), 'other\n')
    expect(await list.list(user)).toEqual(['other'])
  })
  test('many changes at once lose none', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, i) => list.set(user, named(`box${i}`), true)))
    expect((await list.list(user)).length).toBe(30)
  })
  test('leaves no temporary file', async () => {
    await list.set(user, named('one'), true)
    await list.set(user, named('one'), false)
    expect(await readdir(home)).toEqual(['.mailboxlist'])
  })
  test('keeps the permissions of the file', async () => {
    await writeFile(path(), 'one\n', { mode: 0o640 })
    await list.set(user, named('two'), true)
    expect((await stat(path())).mode & 0o777).toBe(0o640)
  })
  test('makes a home that is missing', async () => {
    const away: MailUser = { ...user, home: join(home, 'new', 'alice') }
    await list.set(away, named('one'), true)
    expect(await list.list(away)).toEqual(['one'])
  })
  test.each(['a\nb', 'a\rb', 'a\0b'])('%j is no name', async (name) => {
    await expect(list.set(user, named(name), true)).rejects.toMatchObject({ kind: 'denied' })
    expect(await readdir(home)).toEqual([])
  })
  test('what is too long to be a list is said so', async () => {
    await writeFile(path(), Buffer.alloc(5 << 20, 'a'))
    await expect(list.list(user)).rejects.toMatchObject({ kind: 'corrupt' })
  })
  test('a failed change does not stop the next', async () => {
    await writeFile(path(), Buffer.alloc(5 << 20, 'a'))
    await expect(list.set(user, named('one'), true)).rejects.toMatchObject({ kind: 'corrupt' })
    await rm(path())
    await list.set(user, named('one'), true)
    expect(await list.list(user)).toEqual(['one'])
  })
})

describe('as other programs have it', () => {
  test('names are in modified UTF-7', async () => {
    for (const name of ['Entwürfe', 'R&D', '日本/x']) await list.set(user, named(name), true)
    expect(await readFile(path(), 'latin1')).toBe('Entw&APw-rfe\nR&-D\n&ZeVnLA-/x\n')
    expect(await list.list(user)).toEqual(['Entwürfe', 'R&D', '日本/x'])
  })
  test('what is no modified UTF-7 is a name as it stands, until it is taken out', async () => {
    await writeFile(path(), 'Entwürfe\nR&D\n')
    expect(await list.list(user)).toEqual(['Entwürfe', 'R&D'])
    await list.set(user, named('R&D'), false)
    expect(await readFile(path(), 'utf8')).toBe('Entwürfe\n')
  })
  test('INBOX is one name, written in capitals', async () => {
    await writeFile(path(), 'inbox\na\nInBox\n')
    expect(await list.list(user)).toEqual(['INBOX', 'a'])
    await list.set(user, named('iNbOx'), false)
    expect(await readFile(path(), 'latin1')).toBe('a\n')
    await list.set(user, named('inbox'), true)
    expect(await readFile(path(), 'latin1')).toBe('a\nINBOX\n')
  })
  test('a list that is a link stays a link', async () => {
    await mkdir(join(home, 'elsewhere'))
    await writeFile(join(home, 'elsewhere', 'list'), 'a\n')
    await symlink('elsewhere/list', path())
    await list.set(user, named('b'), true)
    expect((await lstat(path())).isSymbolicLink()).toBe(true)
    expect(await readFile(join(home, 'elsewhere', 'list'), 'latin1')).toBe('a\nb\n')
    expect(await readdir(join(home, 'elsewhere'))).toEqual(['list'])
  })
  test('a link to nothing is said to be one', async () => {
    await symlink('nowhere', path())
    await expect(list.set(user, named('b'), true)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await list.list(user)).toEqual([])
  })
  test('a directory in its place is said so', async () => {
    await mkdir(path())
    await expect(list.list(user)).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

describe('repetitions', () => {
  test('to subscribe twice changes nothing', async () => {
    await list.set(user, named('a'), true)
    const before = await stat(path())
    await list.set(user, named('a'), true)
    expect((await stat(path())).ino).toBe(before.ino)
  })
  test('to unsubscribe what is not there is said', async () => {
    await expect(list.set(user, named('a'), false)).rejects.toMatchObject({ kind: 'not-found', message: 'No subscriptions' })
    await list.set(user, named('b'), true)
    await expect(list.set(user, named('a'), false)).rejects.toMatchObject({ kind: 'not-found', message: 'Not subscribed to mailbox a' })
    expect(await readdir(home)).toEqual(['.mailboxlist'])
  })
})

describe('several at once', () => {
  test('two hosts lose no name', async () => {
    const [a, b] = [listWith({ clock: systemClock }), listWith({ clock: systemClock })]
    await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? a : b).set(user, named(`box${i}`), true)))
    expect((await a.list(user)).length).toBe(20)
    expect(await readdir(home)).toEqual(['.mailboxlist'])
  })
  test('what a crash left does not stop the next', async () => {
    const left = join(home, '.mlbxlsttmp.mailwright')
    await writeFile(left, 'half')
    await utimes(left, 1, 1)
    await list.set(user, named('a'), true)
    expect(await readdir(home)).toEqual(['.mailboxlist'])
  })
})

test.each(['full', 'relaxed'] as const)('durability %s', async (durability) => {
  const synced: string[] = []
  class Watched extends SystemFiles {
    override syncDirectory(at: string): Promise<void> {
      synced.push(at)
      return super.syncDirectory(at)
    }
  }
  const files = new Watched(undefined)
  await listWith({ files, durability }).set(user, named('a'), true)
  expect(synced).toEqual(durability === 'full' ? [home] : [])
})
