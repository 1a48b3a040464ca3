import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MailUser, Mount, NamespaceResolver, Purpose, Resolution } from '../../../core/api/index.js'
import { guardLocation, mountTable, resolveName } from '../../../core/mail/access/mounts.js'
import { MailboxFileNames, type NameSettings } from '../../../plugins/namespaces/mailboxfile/resolver.js'
import { RestrictBox } from '../../../plugins/namespaces/restrict-box/index.js'
import { named } from '../../support/mail.js'

const settings: NameSettings = {
  store: 'files', home: '{home}', subdirectory: undefined, inboxPath: '{spool}/{user}', spool: '/var/mail', shared: undefined, public: undefined, ftp: undefined,
  outside: 'accounts', advertiseRoot: false, processUser: 1000, stateDirectory: '{home}/.mailwright',
}
const system: MailUser = { name: 'alice', kind: 'account', home: '/home/alice', ids: { uid: 1000, gid: 1000, groups: [] }, facts: {} }
const virtual: MailUser = { name: 'alice', kind: 'account', home: '/home/alice', facts: {} }
const anonymous: MailUser = { name: 'nobody', kind: 'anonymous', home: '/srv/anonymous', ids: { uid: 1000, gid: 1000, groups: [] }, facts: {} }

interface Scene {
  readonly user: MailUser
  readonly resolvers: readonly NamespaceResolver[]
  readonly mounts: readonly Mount[]
}
function scene(user: MailUser, change: Partial<NameSettings> = {}, before: readonly NamespaceResolver[] = [], after: readonly NamespaceResolver[] = []): Scene {
  const resolvers = [...before, new MailboxFileNames({ ...settings, ...change }), ...after]
  return { user, resolvers, mounts: mountTable(user, resolvers, 'files') }
}
const ask = (s: Scene, name: string, purpose: Purpose = 'open'): Resolution => resolveName(named(name), purpose, s.user, s.resolvers, s.mounts)
/** The answer in a word: the file, after core's guard, or the kind of answer. */
function shown(s: Scene, name: string, purpose: Purpose = 'open'): string {
  const answer = ask(s, name, purpose)
  if (answer.kind === 'of-user') return `${answer.user}: ${answer.name}`
  if (answer.kind !== 'at') return answer.kind
  const { mount, path } = guardLocation(answer.location, s.mounts)
  return mount.root === '/' ? `/${path}` : `${mount.root}/${path}`
}

describe('names of an account of the system', () => {
  const s = scene(system)
  test.each([
    ['INBOX', 'inbox'],
    ['inbox', 'inbox'],
    ['InBoX', 'inbox'],
    ['inbox/foo', '/home/alice/inbox/foo'],
    ['sent', '/home/alice/sent'],
    ['Mail/2026', '/home/alice/Mail/2026'],
    ['Mail/', '/home/alice/Mail/'],
    ['Sent', '/home/alice/Sent'],
    ['a..b', '/home/alice/a..b'],
    ['~/sent', '/home/alice/sent'],
    ['~', 'denied'],
    ['~bob/x', 'bob: x'],
    ['~bob/inbox', 'bob: INBOX'],
    ['~bob', 'unknown'],
    ['/var/mail/alice', 'inbox'],
    ['/var/mail/bob', '/var/mail/bob'],
    ['/srv/lists/all', '/srv/lists/all'],
    ['../bob/x', '/home/bob/x'],
    ['#shared/x', 'unknown'],
    ['#news/../x', 'denied'],
    ['#news//x', 'denied'],
    ['#x/~bob', 'denied'],
    ['#news.comp.mail', 'unknown'],
    ['#anything', 'unknown'],
    ['./INBOX', 'inbox'],
    ['x/../inbox', 'inbox'],
    ['~/./INBOX', 'inbox'],
    ['../alice/INBOX', 'inbox'],
    ['/var/mail/./alice', 'inbox'],
    ['/var/mail/../mail/alice', 'inbox'],
    ['../../var/mail/alice', 'inbox'],
    ['INBOX/', '/home/alice/INBOX/'],
    ['/home/alice/INBOX', '/home/alice/INBOX'],
    ['/home/alice/x', '/home/alice/x'],
    ['.', 'unknown'],
    ['a/..', 'unknown'],
    ['/', 'unknown'],
    ['~bob//etc/aliases', 'denied'],
    ['~bob/~carol/x', 'denied'],
    ['.mailwright', 'unknown'],
    ['.mailwright/', 'unknown'],
    ['.mailwright/mailboxes/x', 'unknown'],
    ['a/../.mailwright/x', 'unknown'],
    ['~/.mailwright/x', 'unknown'],
    ['~alice/.mailwright/x', 'unknown'],
    ['/home/alice/.mailwright/x', 'unknown'],
    ['/home/alice/../alice/.mailwright', 'unknown'],
    ['.mailwright-old/x', '/home/alice/.mailwright-old/x'],
  ])('%j leads to %s', (name, expected) => expect(shown(s, name)).toBe(expected))
})

describe('names of an account that exists only here', () => {
  const s = scene(virtual, { inboxPath: '{home}/INBOX' })
  test.each([
    ['INBOX', 'inbox'],
    ['iNbOx', 'inbox'],
    ['sent', '/home/alice/sent'],
    ['~/sent', '/home/alice/sent'],
    ['~alice/sent', '/home/alice/sent'],
    ['./INBOX', 'inbox'],
    ['~/INBOX', 'inbox'],
    ['INBOX/', 'inbox'],
    ['/home/alice/INBOX', 'inbox'],
    ['..', 'denied'],
    ['../bob/x', 'denied'],
    ['a/../../bob/x', 'denied'],
    ['a..b', 'denied'],
    ['a//b', 'denied'],
    ['a/~bob/x', 'denied'],
    ['~/../bob/x', 'denied'],
    ['~/~bob', 'denied'],
    ['~bob/x', 'denied'],
    ['~bob', 'denied'],
    ['~root/x', 'denied'],
    ['/', 'denied'],
    ['/etc/passwd', 'denied'],
    ['//etc/passwd', 'denied'],
    ['/home/alice/../bob/x', 'denied'],
    ['/var/mail/alice', 'denied'],
    ['#driver.unix//etc/passwd', 'denied'],
    ['#driver.unix/~bob/x', 'denied'],
    ['#driver.unix/../x', 'denied'],
  ])('%j leads to %s', (name, expected) => expect(shown(s, name, 'create')).toBe(expected))
  test.each<Purpose>(['open', 'examine', 'status', 'append', 'create', 'remove', 'rename', 'subscribe', 'rights', 'list'])('the state folder has no name for %s', (purpose) => {
    for (const name of ['.mailwright', '.mailwright/mailboxes/x', '~/.mailwright/x', '~alice/.mailwright']) expect(shown(s, name, purpose)).toBe('unknown')
  })
  test('has no mounts but its own', () => {
    expect(s.mounts.map((m) => [m.prefix, m.root])).toEqual([
      ['', '/home/alice'],
      ['~/', '/home/alice'],
    ])
  })

  test('no name leads out of the home', () => {
    const piece = fc.constantFrom('..', '.', '/', '//', '~', '~bob', '~/', '#driver.unix/', '#shared/', 'INBOX', 'inbox', 'a', 'etc', '\\', '\u0000', 'é', ' ')
    const purpose = fc.constantFrom<Purpose>('open', 'create', 'append', 'remove', 'rename', 'list', 'subscribe')
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), purpose, (pieces, why) => {
        const answer = ask(s, pieces.join(''), why)
        expect(['at', 'inbox', 'denied', 'unknown']).toContain(answer.kind)
        if (answer.kind !== 'at') return
        expect(answer.location.mount.root).toBe('/home/alice')
        let depth = 0
        for (const part of answer.location.path.split('/')) {
          if (part === '..') depth--
          else if (part !== '' && part !== '.') depth++
          expect(depth).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })
})

describe('who may leave the home', () => {
  test.each([
    { who: 'an account of the system in its own process', user: system, change: {}, leaves: true },
    { who: 'one in a process of somebody else', user: system, change: { processUser: 0 }, leaves: false },
    { who: 'one where the site says never', user: system, change: { outside: 'never' as const }, leaves: false },
    { who: 'one on a machine without user ids', user: system, change: { processUser: undefined }, leaves: false },
    { who: 'a virtual account', user: virtual, change: {}, leaves: false },
    { who: 'an anonymous user', user: anonymous, change: {}, leaves: false },
  ])('$who', ({ user, change, leaves }) => {
    const s = scene(user, change)
    expect(s.mounts.some((m) => m.root === '/')).toBe(leaves)
    expect(shown(s, '/etc/aliases')).toBe(leaves ? '/etc/aliases' : 'denied')
    expect(shown(s, '~bob/x')).toBe(leaves ? 'bob: x' : 'denied')
  })
  test('anonymous users have no homes at all', () => {
    const s = scene(anonymous)
    expect(shown(s, '~/x')).toBe('denied')
    expect(s.mounts[0]?.inbox).toBe('/srv/anonymous/INBOX')
  })
})

describe('places', () => {
  test.each([
    { title: 'the spool', user: system, change: {}, inbox: '/var/mail/alice', root: '/home/alice' },
    { title: 'another spool', user: system, change: { spool: '/srv/spool' }, inbox: '/srv/spool/alice', root: '/home/alice' },
    { title: 'a subdirectory', user: system, change: { subdirectory: 'mail' }, inbox: '/var/mail/alice', root: '/home/alice/mail' },
    { title: 'a virtual user called like one of the system', user: virtual, change: { inboxPath: undefined }, inbox: '/home/alice/INBOX', root: '/home/alice' },
    { title: 'the spool, unless told otherwise', user: system, change: { inboxPath: undefined }, inbox: '/var/mail/alice', root: '/home/alice' },
    { title: 'homes by name', user: virtual, change: { inboxPath: undefined, home: '/srv/mail/{user}', subdirectory: 'boxes' }, inbox: '/srv/mail/alice/INBOX', root: '/srv/mail/alice/boxes' },
    { title: 'the home', user: virtual, change: { inboxPath: '{home}/INBOX' }, inbox: '/home/alice/INBOX', root: '/home/alice' },
  ])('$title', ({ user, change, inbox, root }) => {
    expect(scene(user, change).mounts[0]).toMatchObject({ prefix: '', class: 'personal', inbox, root })
  })
  test.each(['../alice', 'a/b', '..', '.', '', 'a\0b'])('a user called %j cannot be part of a path', (name) => {
    expect(() => scene({ ...system, name })).toThrow(/cannot be part of a path/)
  })
  test('a user without home has no mail', () => {
    expect(() => scene({ name: 'alice', kind: 'account', facts: {} })).toThrow(/no home directory/)
  })
  test('shared roots', () => {
    const s = scene(virtual, { shared: '/srv/shared', public: '/srv/public', ftp: '/srv/ftp' })
    expect(shown(s, '#shared/x')).toBe('/srv/shared/x')
    expect(shown(s, '#SHARED/inbox')).toBe('/srv/shared/INBOX')
    expect(shown(s, '#Public/InBox')).toBe('/srv/public/INBOX')
    expect(shown(s, '#ftp/inbox')).toBe('/srv/ftp/inbox')
    expect(shown(s, '#shared/../x')).toBe('denied')
    expect(shown(scene(anonymous, { shared: '/srv/shared' }), '#shared/x')).toBe('unknown')
  })
  test('a format is named for making only', () => {
    const s = scene(system)
    expect(ask(s, '#driver.unix/x', 'create')).toMatchObject({ kind: 'at', location: { path: 'x', format: 'unix' } })
    expect(ask(s, '#DRIVER.unix/inbox', 'append')).toEqual({ kind: 'inbox', format: 'unix' })
    expect(ask(s, '#driver.unix/x', 'open').kind).toBe('unknown')
    expect(ask(s, '#driver.unix/', 'create').kind).toBe('unknown')
    expect(ask(s, '#driver.unix/~bob/x', 'create')).toEqual({ kind: 'of-user', user: 'bob', name: '#driver.unix/x' })
    for (const name of ['#driver.unix/../x', '#driver.unix/a//b', '#driver.unix/a/~b']) expect(shown(s, name, 'create')).toBe('denied')
    expect(shown(s, '#driver.unix/.mailwright/x', 'create')).toBe('unknown')
  })
  test('one file has one place', () => {
    const s = scene(system)
    expect(ask(s, '/home/alice/x')).toEqual(ask(s, 'x'))
    expect(ask(s, '~/x')).toEqual(ask(s, './x'))
    expect(ask(scene(system, { inboxPath: '{home}/Mail/new' }), 'Mail/new').kind).toBe('inbox')
    expect(ask(scene(system, { inboxPath: '{home}/INBOX' }), '/home/alice/INBOX').kind).toBe('inbox')
  })
  test('a resolver behind may know other names that begin with #', () => {
    const news: Mount = { prefix: '#news.', class: 'shared', store: 'files', root: '/srv/news', advertised: true, listed: false }
    const s = scene(system, {}, [], [{ mounts: () => [news] }])
    expect(shown(s, '#news.comp')).toBe('/srv/news/comp')
    expect(shown(s, '#other')).toBe('unknown')
  })
})

describe.each(['before', 'after'])('restrict-box %s it', (where) => {
  const restricted = (...deny: ('root' | 'other-users' | 'all')[]): Scene => {
    const box = [new RestrictBox(deny)]
    return where === 'before' ? scene(system, {}, box) : scene(system, {}, [], box)
  }
  test.each([
    { name: 'x', root: '/home/alice/x', others: '/home/alice/x', all: '/home/alice/x' },
    { name: 'INBOX', root: 'inbox', others: 'inbox', all: 'inbox' },
    { name: '~/x', root: '/home/alice/x', others: '/home/alice/x', all: '/home/alice/x' },
    { name: '/etc/aliases', root: 'denied', others: '/etc/aliases', all: 'denied' },
    { name: '/var/mail/alice', root: 'inbox', others: 'inbox', all: 'inbox' },
    { name: '/var/mail/bob', root: 'denied', others: '/var/mail/bob', all: 'denied' },
    { name: '~bob/x', root: 'bob: x', others: 'denied', all: 'denied' },
    { name: '~bob', root: 'unknown', others: 'denied', all: 'denied' },
    { name: '/home/alice/x', root: 'denied', others: '/home/alice/x', all: 'denied' },
    { name: '../x', root: 'denied', others: 'denied', all: 'denied' },
    { name: 'a..b', root: 'denied', others: 'denied', all: 'denied' },
    { name: 'a//b', root: 'denied', others: 'denied', all: 'denied' },
    { name: 'a/~b', root: 'denied', others: 'denied', all: 'denied' },
    { name: '#driver.unix//etc/x', root: 'denied', others: '/etc/x', all: 'denied' },
    { name: '#driver.unix/~bob/x', root: 'bob: #driver.unix/x', others: 'denied', all: 'denied' },
    { name: '#driver.unix/../x', root: 'denied', others: 'denied', all: 'denied' },
  ])('$name', ({ name, root, others, all }) => {
    expect(shown(restricted('root'), name, 'create')).toBe(root)
    expect(shown(restricted('other-users'), name, 'create')).toBe(others)
    expect(shown(restricted('all'), name, 'create')).toBe(all)
  })
  test.each([
    { deny: 'root' as const, left: ['', '~/', '~'] },
    { deny: 'other-users' as const, left: ['', '~/', '/'] },
    { deny: 'all' as const, left: ['', '~/'] },
  ])('$deny takes its mounts out of the table', ({ deny, left }) => expect(restricted(deny).mounts.map((m) => m.prefix)).toEqual(left))
})
