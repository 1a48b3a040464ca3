import { describe, expect, test } from 'vitest'
import type { MailUser, NamespaceResolver, Purpose, Resolution } from '../../../core/api/index.js'
import { mountTable, resolveName } from '../../../core/mail/access/mounts.js'
import { MailboxFileNames, type NameSettings } from '../../../plugins/namespaces/mailboxfile/resolver.js'
import { RestrictBox } from '../../../plugins/namespaces/restrict-box/index.js'
import { named } from '../../support/mail.js'

const settings: NameSettings = {
  store: 'files', home: '{home}', subdirectory: undefined, inboxPath: '{spool}/{user}', spool: '/var/mail', shared: '/srv/shared', public: '/srv/public',
  ftp: undefined, outside: 'accounts', advertiseRoot: false, processUser: 1000, stateDirectory: '{home}/.mailwright',
}
const account: MailUser = { name: 'alice', kind: 'account', ids: { uid: 1000, gid: 1000, groups: [] }, home: '/home/alice', facts: {} }
const virtual: MailUser = { name: 'bob', kind: 'account', home: '/var/vmail/bob', facts: {} }
const anonymous: MailUser = { name: 'nobody', kind: 'anonymous', home: '/srv/anonymous', facts: {} }

/** The answer in short: `root: path`, or what else it is. */
function short(r: Resolution): string {
  switch (r.kind) {
    case 'at':
      return `${r.location.mount.root}: ${r.location.path}${r.location.format === undefined ? '' : ` as ${r.location.format}`}`
    case 'inbox':
      return r.format === undefined ? 'inbox' : `inbox as ${r.format}`
    case 'of-user':
      return `${r.user}'s ${r.name}`
    default:
      return r.kind
  }
}
function ask(chain: readonly NamespaceResolver[], name: string, user: MailUser, purpose: Purpose = 'open'): string {
  return short(resolveName(named(name), purpose, user, chain, mountTable(user, chain, 'files')))
}

describe('mailboxfile', () => {
  const plain = [new MailboxFileNames(settings)]
  test.each([
    ['INBOX', account, 'inbox'],
    ['inBox', virtual, 'inbox'],
    ['~/INBOX', account, 'inbox'],
    ['Mail/box', account, '/home/alice: Mail/box'],
    ['Mail/', account, '/home/alice: Mail/'],
    ['~/x', account, '/home/alice: x'],
    ['~alice/x', account, '/home/alice: x'],
    ['~bob/x', account, "bob's x"],
    ['~bob/inbox', account, "bob's INBOX"],
    ['~bob', account, 'unknown'],
    ['~', account, 'denied'],
    ['../bob/x', account, '/: home/bob/x'],
    ['a/../b', account, '/home/alice: b'],
    ['/var/mail/alice', account, 'inbox'],
    ['/etc/motd', account, '/: etc/motd'],
    ['/a/../etc', account, '/: etc'],
    ['#shared/x', account, '/srv/shared: x'],
    ['#SHARED/inbox', account, '/srv/shared: INBOX'],
    ['#public/x', virtual, '/srv/public: x'],
    ['#shared/../x', account, 'denied'],
    ['#shared//x', account, 'denied'],
    ['#ftp/x', account, 'unknown'],
    ['#mh/x', account, 'unknown'],
    ['x', virtual, '/var/vmail/bob: x'],
    ['/etc/passwd', virtual, 'denied'],
    ['/var/mail/bob', virtual, 'inbox'],
    ['~alice/x', virtual, 'denied'],
    ['../alice/x', virtual, 'denied'],
    ['a..b', virtual, 'denied'],
    ['x', anonymous, '/srv/anonymous: x'],
    ['/x', anonymous, 'denied'],
    ['~/x', anonymous, 'denied'],
    ['#shared/x', anonymous, 'unknown'],
    ['#public/x', anonymous, '/srv/public: x'],
  ] as const)('%s of %o', (name, user, expected) => {
    expect(ask(plain, name, user)).toBe(expected)
  })

  test('#driver. chooses a format, and only where something is made', () => {
    expect(ask(plain, '#driver.mbx/x', account, 'create')).toBe('/home/alice: x as mbx')
    expect(ask(plain, '#driver.mbx:INBOX', account, 'append')).toBe('inbox as mbx')
    expect(ask(plain, '#driver.mbx/x', account, 'open')).toBe('unknown')
    expect(ask(plain, '#driver.mbx/../x', virtual, 'create')).toBe('denied')
    expect(ask(plain, '#driver.mbx/#public/x', account, 'create')).toBe('/srv/public: x as mbx')
    expect(ask(plain, '#driver.mbx/#public/../x', account, 'create')).toBe('denied')
    expect(ask(plain, '#driver.mbx/#driver.mix/x', account, 'create')).toBe('unknown')
  })

  test('another process user, or the setting, keeps everybody in their home directory', () => {
    for (const change of [{ processUser: 0 }, { outside: 'never' }] as const) {
      expect(ask([new MailboxFileNames({ ...settings, ...change })], '/etc/motd', account)).toBe('denied')
    }
  })

  test('mounts say where things are, with their modes, and where INBOX is', () => {
    const mounts = new MailboxFileNames({ ...settings, subdirectory: 'Mail' }).mounts(account)
    expect(mounts.map((m) => [m.prefix, m.class, m.root, m.advertised, m.fileMode])).toEqual([
      ['', 'personal', '/home/alice/Mail', true, undefined],
      ['~/', 'personal', '/home/alice/Mail', false, undefined],
      ['~', 'others', '', true, undefined],
      ['/', 'shared', '/', false, undefined],
      ['#shared/', 'shared', '/srv/shared', true, 0o660],
      ['#public/', 'shared', '/srv/public', true, 0o666],
    ])
    expect(mounts[0]?.inbox).toBe('/var/mail/alice')
    expect(new MailboxFileNames(settings).mounts(anonymous).map((m) => [m.prefix, m.inbox])).toEqual([
      ['', '/srv/anonymous/INBOX'],
      ['#public/', undefined],
    ])
  })

  test('a user name that is more than a name is refused in a path', () => {
    const names = new MailboxFileNames(settings)
    expect(() => names.mounts({ ...virtual, name: '../root' })).toThrow('cannot be part of a path')
    const { home: _home, ...homeless } = virtual
    expect(() => names.mounts(homeless)).toThrow('no home directory')
  })
})

describe('restrict-box', () => {
  const chain = (deny: ConstructorParameters<typeof RestrictBox>[0]): readonly NamespaceResolver[] => [new RestrictBox(deny), new MailboxFileNames(settings)]
  test.each([
    [['root'], '/etc/motd', 'denied'],
    [['root'], '/var/mail/alice', 'inbox'],
    [['root'], '~bob/x', "bob's x"],
    [['other-users'], '~bob/x', 'denied'],
    [['other-users'], '/etc/motd', '/: etc/motd'],
    [['all'], '~/x', '/home/alice: x'],
    [['all'], '../x', 'denied'],
    [['all'], 'a//b', 'denied'],
    [['all'], 'a/~b', 'denied'],
    [['all'], 'x', '/home/alice: x'],
    [['all'], 'INBOX', 'inbox'],
  ] as const)('deny %o: %s', (deny, name, expected) => {
    expect(ask(chain(deny), name, account)).toBe(expected)
  })
  test('#driver. is no way around it', () => {
    expect(ask(chain(['all']), '#driver.unix//etc/x', account, 'create')).toBe('denied')
  })
})
