import { describe, expect, test } from 'vitest'
import { delegate, MailError } from '../../../core/api/index.js'
import type { ListEntry, MailAccess, MailLocation, MailStore, MailUser, Mount, NamespaceResolver, Resolution } from '../../../core/api/index.js'
import { guardLocation, nameAt } from '../../../core/mail/access/mounts.js'
import { composePattern, matchesInbox, matchesPattern } from '../../../core/mail/access/patterns.js'
import { MemoryDriver } from '../../../plugins/drivers/memory/store.js'
import { alice, bob, mailFixture, named, never } from '../../support/mail.js'

const matches = [
  { name: 'percent stops at the delimiter', mailbox: 'a/b', pattern: '%', expected: false },
  { name: 'star crosses the delimiter', mailbox: 'a/b', pattern: '*', expected: true },
  { name: 'percent between', mailbox: 'a/b/c', pattern: 'a/%/c', expected: true },
  { name: 'percent matches nothing', mailbox: 'ab', pattern: 'a%b', expected: true },
  { name: 'percent within a name', mailbox: 'axb', pattern: 'a%b', expected: true },
  { name: 'star and percent together', mailbox: 'a/b/c', pattern: '*%', expected: true },
  { name: 'a letter beyond the first plane', mailbox: 'x/😀y', pattern: '%/😀%', expected: true },
  { name: 'another such letter', mailbox: 'x/😀y', pattern: '%/😁%', expected: false },
  { name: 'percent twice is once', mailbox: 'a/b', pattern: '%%', expected: false },
  { name: 'two levels', mailbox: 'a/b', pattern: '%/%', expected: true },
  { name: 'case counts', mailbox: 'Work', pattern: 'work', expected: false },
  { name: 'nothing matches the empty pattern', mailbox: 'a', pattern: '', expected: false },
  { name: 'the whole name', mailbox: 'abc', pattern: 'ab', expected: false },
  { name: 'beyond the basic plane', mailbox: 'x🙂y', pattern: 'x%y', expected: true },
]
describe('LIST patterns', () => {
  test.each(matches)('$name', ({ mailbox, pattern, expected }) => expect(matchesPattern(mailbox, pattern, '/')).toBe(expected))
  test('without a delimiter percent is star', () => expect(matchesPattern('a/b', '%', undefined)).toBe(true))
  test('INBOX in any capitals', () => {
    expect(['inbox', 'InB%', '*', 'INBOX', '%x'].map((p) => matchesInbox(p, '/'))).toEqual([true, true, true, true, true])
    expect(matchesInbox('inbox/%', '/')).toBe(false)
  })
  test('many stars cost no more than name times pattern', () => {
    expect(matchesPattern('a'.repeat(256), `${'*a'.repeat(10)}b`, '/')).toBe(false)
  })
  test.each([
    { reference: 'a/', pattern: 'b', expected: 'a/b' },
    { reference: 'a', pattern: 'b', expected: 'ab' },
    { reference: 'a/', pattern: '#news.x', expected: '#news.x' },
    { reference: 'a/', pattern: '/etc/x', expected: '/etc/x' },
    { reference: 'a/', pattern: '~bob/x', expected: '~bob/x' },
    { reference: '#shared/y/', pattern: '/x', expected: '#shared/x' },
    { reference: '#shared/', pattern: 'x', expected: '#shared/x' },
  ])('reference $reference with $pattern', ({ reference, pattern, expected }) => expect(composePattern(reference, pattern)).toBe(expected))
})

const home: Mount = { prefix: '', class: 'personal', store: 'memory', root: '/home/alice', advertised: true, listed: true }
const shared: Mount = { prefix: '#shared/', class: 'shared', store: 'memory', root: '/shared', advertised: true, listed: false }
describe('the guard of locations', () => {
  const at = (path: string, mount = home): MailLocation => ({ mount, path })
  test.each(['a', 'a/b', 'a/../b', 'a..b', './a', '', 'a/', '...'])('%j stays inside', (path) => expect(guardLocation(at(path), [home]).path).toBe(path))
  test.each(['..', '../a', 'a/../../b', '/etc/passwd', 'a/./../../b', 'a\0b', '/', 'a/b/../../../x'])('%j is refused', (path) => {
    expect(() => guardLocation(at(path), [home])).toThrow(/outside its mount/)
  })
  test('what no name leads to is refused: names that begin with a brace are those of other machines', () => {
    expect(() => guardLocation(at('{x}'), [home])).toThrow(/no name leads/)
    expect(guardLocation(at('{x}', shared), [home, shared]).path).toBe('{x}')
    expect(guardLocation(at('x{'), [home]).path).toBe('x{')
  })
  test('a mount that the user does not have is refused, one made anew with the same root is not', () => {
    expect(() => guardLocation(at('a', shared), [home])).toThrow(/no mount of this user/)
    expect(guardLocation(at('a', { ...home }), [home]).path).toBe('a')
  })
  test('whatever a resolver answers', async () => {
    const resolver: NamespaceResolver = {
      mounts: () => [home],
      resolve: (ask, next): Resolution => {
        if (ask.name === 'up') return { kind: 'at', location: { mount: home, path: '../bob/mail' } }
        if (ask.name === 'else') return { kind: 'at', location: { mount: { ...home, root: '/' }, path: 'etc/passwd' } }
        return next(ask.name)
      },
    }
    await using f = mailFixture({ resolvers: [resolver] })
    const mail = await f.login()
    for (const name of ['up', 'else', '../bob']) await expect(mail.locate(named(name), 'create', never)).rejects.toMatchObject({ kind: 'denied' })
  })
  test('from place to name and back', () => {
    expect([nameAt(at('inbox'), [home, shared]), nameAt(at('x/y'), [home]), nameAt(at('z', { ...shared }), [home, shared])]).toEqual(['INBOX', 'x/y', '#shared/z'])
    expect(nameAt(at('z', shared), [home])).toBeUndefined()
  })
})

async function listed(mail: MailAccess, pattern: string, more: { reference?: string; subscribed?: true } = {}): Promise<string[]> {
  const out: string[] = []
  const { reference = '', ...rest } = more
  for await (const batch of mail.list({ reference: named(reference), patterns: [pattern], ...rest }, never)) out.push(...batch.map(show))
  return out
}
function show(e: ListEntry): string {
  return `${[...e.attributes].join(' ')} ${e.delimiter ?? 'NIL'} ${e.name}${e.at === undefined ? '' : ' *'}`.trim()
}
describe('LIST', () => {
  async function site() {
    const f = mailFixture({ resolvers: [{ mounts: () => [home, shared] }] })
    const mail = await f.login()
    for (const name of ['Work', 'Work/done/2025', 'inboxes', '#shared/pub']) {
      // The fixture's memory store knows paths alone, so the shared mount shows the same mailboxes under its prefix.
      await mail.create(named(name), { specialUse: [] }, never)
    }
    return { f, mail }
  }
  test('names of the personal mount with their attributes; INBOX first and once', async () => {
    const { f, mail } = await site()
    expect(await listed(mail, '*')).toEqual([
      '\\HasNoChildren / INBOX *',
      '\\HasChildren / Work *',
      '\\NoSelect \\HasChildren / Work/done',
      '\\HasNoChildren / Work/done/2025 *',
      '\\HasNoChildren / inboxes *',
      '\\HasNoChildren / pub *',
    ])
    expect(await listed(mail, '%')).toEqual(['\\HasNoChildren / INBOX *', '\\HasChildren / Work *', '\\HasNoChildren / inboxes *', '\\HasNoChildren / pub *'])
    await f[Symbol.asyncDispose]()
  })
  test.each([
    { name: 'a level below', pattern: 'Work/%', expected: ['\\NoSelect \\HasChildren / Work/done'] },
    { name: 'only with the delimiter', pattern: '%/', expected: ['\\NoSelect \\HasChildren / Work/', '\\NoSelect \\HasNoChildren / inboxes/', '\\NoSelect \\HasNoChildren / pub/'] },
    { name: 'INBOX in lower case', pattern: 'inbox', expected: ['\\HasNoChildren / INBOX *'] },
    { name: 'nothing', pattern: 'nothing', expected: [] },
    { name: 'another mount by its prefix, in any case', pattern: '#SHARED/pu%', expected: [] },
    { name: 'another mount', pattern: '#shared/pu%', expected: ['\\HasNoChildren / #shared/pub *'] },
    { name: 'root and delimiter', pattern: '', expected: ['\\NoSelect /'] },
    { name: 'other machines', pattern: '{host}*', expected: [] },
  ])('$name', async ({ pattern, expected }) => {
    const { f, mail } = await site()
    expect(await listed(mail, pattern)).toEqual(expected)
    await f[Symbol.asyncDispose]()
  })
  test('a reference', async () => {
    const { f, mail } = await site()
    expect(await listed(mail, '%', { reference: 'Work/' })).toEqual(['\\NoSelect \\HasChildren / Work/done'])
    expect(await listed(mail, '', { reference: '#shared/x/y' })).toEqual(['\\NoSelect / #shared/'])
    await f[Symbol.asyncDispose]()
  })
  test('too many wildcards and too long patterns are refused', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    await expect(listed(mail, '%a'.repeat(11))).rejects.toMatchObject({ kind: 'limit' })
    expect(await listed(mail, '%a'.repeat(10))).toEqual([])
    await expect(listed(mail, 'a'.repeat(257))).rejects.toMatchObject({ kind: 'limit' })
    expect(await listed(mail, 'a'.repeat(256))).toEqual([])
  })
  test('subscriptions, whether they exist or not, with the parents that a final % stops at', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    for (const name of ['inbox', 'gone/away', 'gone/far/away', 'Work']) await mail.subscribe(named(name), true)
    expect(await listed(mail, '*', { subscribed: true })).toEqual(['/ INBOX', '/ gone/away', '/ gone/far/away', '/ Work'])
    expect(await listed(mail, '%', { subscribed: true })).toEqual(['/ INBOX', '\\NoSelect / gone', '/ Work'])
    expect(await listed(mail, 'gone/%', { subscribed: true })).toEqual(['/ gone/away', '\\NoSelect / gone/far'])
    await mail.subscribe(named('Work'), false)
    expect(await listed(mail, 'W*', { subscribed: true })).toEqual([])
  })
  test('where subscriptions cannot be read, mailboxes are listed all the same', async () => {
    const failing = { list: () => Promise.reject(new MailError('unavailable', 'the list cannot be read')), set: () => Promise.resolve() }
    await using f = mailFixture({ subscriptions: failing })
    const mail = await f.login()
    await mail.create(named('Work'), { specialUse: [] }, never)
    expect(await listed(mail, '*')).toEqual(expect.arrayContaining([expect.stringContaining('Work')]))
    await expect(listed(mail, '*', { subscribed: true })).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('names of other users', () => {
  const resolver: NamespaceResolver = {
    mounts: (user) => [{ ...home, root: user.home ?? '/' }],
    resolve: (ask, next) => {
      const other = /^~(\w+)\/(.+)$/.exec(ask.name)
      return other === null ? next(ask.name) : { kind: 'of-user', user: other[1]!, name: named(other[2]!) }
    },
  }
  test('lead to the mounts of the account that the directory knows', async () => {
    await using f = mailFixture({ resolvers: [resolver], directories: [{ find: async (name) => (name === 'bob' ? bob : undefined) }] })
    const mail = await f.login(alice)
    const located = await mail.locate(named('~bob/box'), 'create', never)
    expect([located.name, located.at.mount.root, located.at.path]).toEqual(['~bob/box', '/home/bob', 'box'])
    await expect(mail.locate(named('~carol/box'), 'create', never)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(mail.locate(named('~bob/~bob/~bob/~bob/x'), 'create', never)).rejects.toMatchObject({ kind: 'not-found' })
  })
})
describe('listings of other users', () => {
  const others: Mount = { prefix: '~', class: 'others', store: 'memory', root: '', advertised: true, listed: false }
  const resolver: NamespaceResolver = {
    mounts: (user) => [{ ...home, root: user.home ?? '/' }, { ...others, root: user.name === 'bob' ? '' : '/nowhere' }],
    resolve: (ask, next): Resolution => {
      if (ask.name.startsWith('#')) return { kind: 'unknown' }
      const other = /^~(\w+)\/(.+)$/.exec(ask.name)
      return other === null ? next(ask.name) : { kind: 'of-user', user: other[1]!, name: named(other[2]!) }
    },
  }
  const directories = [{ find: async (name: string) => (name === 'bob' ? bob : undefined) }]
  test('show the names of an account that there is', async () => {
    await using f = mailFixture({ resolvers: [resolver], directories })
    const mail = await f.login(alice)
    for (const name of ['~bob/box', '~bob/dir/in']) await mail.create(named(name), { specialUse: [] }, never)
    // A star marks what can be located.
    const plain = async (pattern: string): Promise<string[]> => (await listed(mail, pattern)).map((line) => line.replace(/ \*$/, ''))
    expect((await plain('~bob/%')).filter((line) => !line.endsWith('INBOX'))).toEqual([String.raw`\HasNoChildren / ~bob/box`, String.raw`\NoSelect \HasChildren / ~bob/dir`])
    expect((await plain('~bob/*')).map((line) => line.split(' ').at(-1))).toContain('~bob/dir/in')
    expect((await plain('~bob/i%')).map((line) => line.split(' ').at(-1))).toEqual(['~bob/INBOX'])
    expect(await listed(mail, '~carol/%')).toEqual([])
  })
  test('are refused where a resolver refuses the names', async () => {
    const strict: NamespaceResolver = { review: (_ask, answer) => (answer.kind === 'of-user' ? { kind: 'denied', why: 'no' } : answer) }
    await using f = mailFixture({ resolvers: [strict, resolver], directories })
    expect(await listed(await f.login(alice), '~bob/%')).toEqual([])
  })
  test('mounts that a resolver does not keep are gone', async () => {
    await using f = mailFixture({ resolvers: [{ keeps: (mount) => mount.class !== 'others' }, resolver] })
    expect((await f.login(alice)).mounts.map((m) => m.prefix)).toEqual([''])
  })
})
describe('names that can never lead to a mailbox', () => {
  const resolver: NamespaceResolver = {
    mounts: () => [home],
    resolve: (ask, next): Resolution => (ask.name.startsWith('#') ? { kind: 'unknown' } : ask.name.includes('..') ? { kind: 'denied', why: 'no' } : next(ask.name)),
  }
  test('are not subscribed, and can be taken off the list', async () => {
    await using f = mailFixture({ resolvers: [resolver] })
    const mail = await f.login()
    for (const name of ['#x', 'a..b']) {
      await expect(mail.subscribe(named(name), true)).rejects.toMatchObject({ kind: 'not-found' })
      await mail.subscribe(named(name), false)
    }
    await mail.subscribe(named('to-come'), true)
    expect(await listed(mail, '*', { subscribed: true })).toEqual(['/ to-come'])
  })
  test('are not listed, whatever is there', async () => {
    await using f = mailFixture({ resolvers: [resolver] })
    const store = await f.driver.openStore(alice)
    for (const path of ['#x', 'a..b', 'box']) await store.create({ mount: home, path }, { specialUse: [] })
    expect((await listed(await f.login(), '*')).map((line) => line.split(' ').findLast((word) => word !== '*'))).toEqual(['INBOX', 'box'])
  })
})
test('what is damaged can be renamed and deleted', async () => {
  class Damaged extends MemoryDriver {
    override async openStore(user: MailUser): Promise<MailStore> {
      const store = await super.openStore(user)
      return delegate(store, [], {
        find: async (at, signal) => {
          if (at.path === 'bad') throw new MailError('corrupt', 'not in valid mailbox format')
          return store.find(at, signal)
        },
      })
    }
  }
  const driver = new Damaged(() => 0)
  await using f = mailFixture({ driver })
  const mail = await f.login()
  const store = await driver.openStore(alice)
  const locate = (name: string): ReturnType<MailAccess['locate']> => mail.locate(named(name), 'remove', never)
  const create = (path: string): Promise<void> => store.create({ mount: mail.mounts[0]!, path }, { specialUse: [] })
  await create('bad')
  await mail.rename(await locate('bad'), named('good'), never)
  await create('bad')
  await mail.remove(await locate('bad'), never)
  expect((await listed(mail, '*')).map((line) => line.split(' ').findLast((word) => word !== '*'))).toEqual(['INBOX', 'good'])
})
describe('records of mailboxes', () => {
  const NOTE = { id: 'note', codec: { encode: (s: string) => Buffer.from(s), decode: (b: Uint8Array) => Buffer.from(b).toString() } }
  test('have followed a RENAME and gone with a DELETE when that is answered', async () => {
    await using f = mailFixture()
    const mail = await f.login()
    const note = async (name: string): Promise<string | undefined> => mail.sidecar(await mail.locate(named(name), 'rights', never)).get(NOTE, 'k')
    const a = await mail.create(named('a'), { specialUse: [] }, never)
    const below = await mail.create(named('a/x'), { specialUse: [] }, never)
    await mail.sidecar(a).put(NOTE, 'k', 'of a')
    await mail.sidecar(below).put(NOTE, 'k', 'of x')
    await mail.rename(a, named('b'), never)
    expect([await note('a'), await note('b'), await note('b/x')]).toEqual([undefined, 'of a', 'of x'])
    await mail.remove(await mail.locate(named('b'), 'remove', never), never)
    await mail.create(named('b'), { specialUse: [] }, never)
    expect([await note('b'), await note('b/x')]).toEqual([undefined, 'of x'])
  })
  test('that cannot follow are the operator’s trouble', async () => {
    const refuse = async (): Promise<never> => Promise.reject(new Error('no room'))
    const side = { get: refuse, put: refuse, each: () => { throw new Error('no room') } }
    await using f = mailFixture({ sidecars: { open: async () => ({ of: () => side, account: () => side, renamed: refuse }) } })
    const mail = await f.login()
    await mail.rename(await mail.create(named('a'), { specialUse: [] }, never), named('b'), never)
    expect(f.logger.lines.map((l) => l.event)).toEqual(['mail.records-left'])
  })
})
describe('names that are refused for everybody', () => {
  test.each(['', '{host}x', 'a\rb', 'a\nb', 'a\0b', 'x'.repeat(257)])('%j', async (name) => {
    await using f = mailFixture()
    const mail = await f.login()
    await expect(mail.locate(named(name), 'create', never)).rejects.toMatchObject({ name: 'MailError' })
  })
})
