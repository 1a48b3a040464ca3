import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MailUser } from '../../../core/api/index.js'
import { SystemFiles } from '../../../core/os/files.js'
import { MailboxList } from '../../../plugins/subscriptions/mailboxlist/subscriptions.js'
import { named, StillClock } from '../../support/mail.js'

let home: string
let list: MailboxList
let user: MailUser
const path = (): string => join(home, '.mailboxlist')
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mailboxlist-'))
  list = new MailboxList(new SystemFiles(undefined), new StillClock(), (u) => `${u.home}/.mailboxlist`)
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
