import { describe, expect, test } from 'vitest'
import { COMPAT_SETTINGS, HOST, MAILBOX_SETTINGS, extensionPoint, noSettings } from '../../../core/api/index.js'
import { configOf } from '../../../core/config/config.js'
import { corePoints } from '../../../core/config/points.js'
import type { ConfigPlan } from '../../../core/config/plan/types.js'
import { startKernel } from '../../../core/kernel/lifecycle/start.js'
import { kernelOptions, plugin, row } from '../../support/kernel.js'

const points = corePoints.map((p) => p.point)
const planOf = (value: object): ConfigPlan => configOf(value, '/etc/site').plan(points)
const uses = (plan: ConfigPlan, host: string, point: string): unknown => plan.hosts.find((h) => h.id === host)?.slots.find((s) => s.point === point)?.entries?.map((e) => e.use)

describe('hosts', () => {
  test('without any, there is "default", and it works', () => {
    const plan = planOf({})
    expect(plan.problems).toEqual([])
    expect(plan.hosts.map((h) => h.id)).toEqual(['default'])
    expect(uses(plan, 'default', 'mail.formats')).toEqual(['mbox', 'mix', 'mx', 'mbx', 'tenex', 'mtx', 'mh', 'mmdf', 'unix', 'dummy'])
    expect(uses(plan, 'default', 'imap.extensions')).toBeUndefined()
  })

  test('mappings merge from default, lists replace, match is not inherited', () => {
    const plan = planOf({
      server: { name: 'machine.example.org' },
      hosts: {
        default: {
          match: { names: ['mail.example.org'], addresses: ['192.0.2.1'] },
          mailbox: { fileMode: '0640', poll: '10s' },
          auth: { mechanisms: ['plain', 'login', 'cram-md5'], passwords: [{ use: 'file', path: 'a' }] },
        },
        second: { match: { domains: ['Example.NET'] }, compat: { dialect: 'late' }, mailbox: { poll: '20s' }, auth: { mechanisms: ['plain'] } },
      },
    })
    expect(plan.problems).toEqual([])
    const second = plan.hosts[1]!
    const given = new Map(second.given.map((g) => [g.token.id, g.value]))
    expect(given.get(MAILBOX_SETTINGS.id)).toMatchObject({ fileMode: 0o640, directoryMode: 0o700, pollMs: 20_000 })
    expect(given.get(COMPAT_SETTINGS.id)).toEqual({ dialect: 'late' })
    expect(plan.hosts[0]!.given.find((g) => g.token.id === COMPAT_SETTINGS.id)?.value).toEqual({ dialect: 'faq' })
    expect(given.get(HOST.id)).toEqual({ id: 'second', serverName: 'machine.example.org' })
    expect(plan.hosts[0]!.serverName).toBe('mail.example.org')
    expect(second.match).toEqual({ addresses: [], names: [], domains: ['example.net'] })
    expect(uses(plan, 'second', 'auth.mechanisms')).toEqual(['plain'])
    expect(second.slots.find((s) => s.point === 'auth.passwords')?.entries).toEqual([{ use: 'file', path: 'hosts.default.auth.passwords[0]', settings: { path: 'a' }, optional: false, folder: '/etc/site' }])
  })

  test('a mistake in default is one mistake, however many hosts take it over', () => {
    const plan = planOf({ hosts: { default: { mailbox: { fileMode: 'rw' }, drivers: { create: 'phile' } }, a: {}, b: {} } })
    expect(plan.problems.map((p) => `${p.code} ${p.path}`)).toEqual(['CFG_SETTING hosts.default.mailbox.fileMode', 'CFG_NOT_LISTED hosts.default.drivers.create'])
  })

  test('an address, name or domain belongs to one host; a name of a host is a plain word', () => {
    const plan = planOf({ hosts: { a: { match: { names: ['x.example.org'] } }, b: { match: { names: ['X.example.org'] } }, 'c.d': {} } })
    expect(plan.problems.map((p) => `${p.code} ${p.path} ${p.message}`)).toEqual([
      'CFG_BAD_HOST hosts.c.d "c.d" is no name of a host',
      'CFG_DUPLICATE_MATCH hosts.b.match.names[0] "x.example.org" belongs to host "a" already',
    ])
  })

  test('POP2 has no STARTTLS: a listener without "tls" has none, and one that asks for it is told so', () => {
    const plan = planOf({ listeners: { old: { protocol: 'pop2', port: 109 }, under: { protocol: 'pop2', port: 1109, tls: 'implicit' }, asked: { protocol: 'pop2', port: 2109, tls: 'starttls' }, new: { protocol: 'pop3', port: 110 } } })
    expect(plan.problems.map((p) => `${p.code} ${p.path} ${p.message}`)).toEqual(['CFG_SETTING listeners.asked.tls pop2 has no STARTTLS'])
    expect(plan.listeners.filter(({ id }) => id !== 'asked').map(({ id, tls }) => `${id} ${tls}`)).toEqual(['old none', 'under implicit', 'new starttls'])
  })
  test('listeners on the same port of the same address are one too many', () => {
    const one = { protocol: 'imap4', port: 143 }
    const plan = planOf({ listeners: { a: one, b: { ...one, address: '127.0.0.1' }, c: { ...one, address: ['::1', '127.0.0.1'] }, d: { ...one, port: 0 }, e: { ...one, port: 0 } } })
    expect(plan.problems.map((p) => `${p.code} ${p.path} ${p.message}`)).toEqual(['CFG_DUPLICATE_LISTENER listeners.c port 143 of 127.0.0.1 is taken by listener "b"'])
    expect(plan.listeners.find((l) => l.id === 'b')).toEqual({ id: 'b', path: 'listeners.b', protocol: 'imap4', address: ['127.0.0.1'], port: 143, unix: undefined, tls: 'starttls', proxy: [], rate: { perMinute: 0, perAddressPerMinute: 0 } })
  })

  test('a listener is at a port or at a socket file, and one without a login is on loopback unless it says more', () => {
    const plan = planOf({
      listeners: {
        file: { protocol: 'lmtp', unix: 'lmtp.sock', mode: '0660', group: 'postfix' }, again: { protocol: 'lmtp', unix: '/etc/site/lmtp.sock' }, near: { protocol: 'lmtp', port: 24 }, open: { protocol: 'lmtp', port: 25, address: '192.0.2.1' },
        none: { protocol: 'imap4' }, both: { protocol: 'imap4', unix: 'a', port: 143, proxy: ['192.0.2.1'] }, odd: { protocol: 'imap4', port: 144, mode: '0600', owner: 'x y' }, more: { protocol: 'imap4', port: 145, mode: '0600' },
      },
    })
    expect(plan.listeners.find((l) => l.id === 'file')).toMatchObject({ unix: { path: '/etc/site/lmtp.sock', mode: 0o660, owner: undefined, group: 'postfix' }, address: undefined, port: 0 })
    expect([plan.listeners.find((l) => l.id === 'near')?.address, plan.listeners.find((l) => l.id === 'open')?.address]).toEqual([['localhost'], ['192.0.2.1']])
    expect(plan.problems.map((p) => `${p.code} ${p.path} ${p.message}`)).toEqual([
      'CFG_DUPLICATE_LISTENER listeners.again /etc/site/lmtp.sock is taken by listener "file"',
      'CFG_SETTING listeners.none expected "port", or "unix" with the path of a socket file',
      'CFG_SETTING listeners.both.port a socket file ("unix") has no "port"',
      'CFG_SETTING listeners.both.proxy proxies are known by their addresses, and whoever connects to a socket file has none',
      'CFG_SETTING listeners.odd.owner expected the name of an account or a group, or its number',
      'CFG_SETTING listeners.more.mode "mode" is for socket files ("unix") alone',
    ])
  })

  test('relative paths are relative to the file, secrets are places and never values', () => {
    const tls = { certificate: 'cert.pem', key: { file: 'private/key.pem' } }
    expect(planOf({ hosts: { default: { tls } }, server: { runDirectory: 'run' } })).toMatchObject({
      server: { runDirectory: '/etc/site/run' },
      hosts: [{ tls: { certificates: [{ certificate: '/etc/site/cert.pem', key: { file: '/etc/site/private/key.pem' } }], minVersion: 'TLSv1.2' } }],
    })
    const wrong = planOf({ hosts: { default: { tls: { certificate: 'cert.pem', key: '-----BEGIN PRIVATE KEY-----' } } } })
    expect(wrong.problems.map((p) => `${p.path}: ${p.message}`)).toEqual(['hosts.default.tls.key: expected { file: PATH } or { env: VARIABLE }; a secret never stands in the configuration itself'])
    expect(planOf({ hosts: { default: { tls: { key: { env: 'KEY' }, selfSigned: 'x', certificate: 'y' } } } }).problems.map((p) => p.path)).toEqual(['hosts.default.tls.selfSigned'])
  })

  test('every setting knows its source', async () => {
    const plan = planOf({ hosts: { default: { mailbox: { poll: '10s' } } } })
    const of = (path: string): unknown => plan.settings.find((s) => s.path === path)
    expect(of('hosts.default.mailbox.poll')).toEqual({ path: 'hosts.default.mailbox.poll', value: '10s', file: undefined, line: undefined })
    expect(of('hosts.default.imap.timeouts.input')).toEqual({ path: 'hosts.default.imap.timeouts.input', value: '5m', file: undefined, line: undefined })
  })

  test('two hosts have their own choices and their own settings in one kernel', async () => {
    const keepers = extensionPoint<{ readonly where: string; readonly mode: number }>('test.keepers').in({ scope: 'host', pick: 'ordered', roles: ['mail'], slot: 'hosts.*.keepers' })
    const keeper = (name: string): ReturnType<typeof row> =>
      row(
        plugin(`keeper-${name}`, (p) =>
          p.to(keepers).contribute({ name, settings: noSettings, needs: { host: HOST, mailbox: MAILBOX_SETTINGS }, create: (_s, n) => ({ where: `${name} of ${n.host.id}`, mode: n.mailbox.fileMode }) }),
        ),
        ['test.keepers', name],
      )
    const config = { hosts: { default: { keepers: ['tin'] }, other: { keepers: ['box', 'tin'], mailbox: { fileMode: '0660' } } } }
    const kernel = await startKernel(kernelOptions(config, { points: [keepers], reading: [keepers], builtins: [keeper('tin'), keeper('box')] }))
    try {
      expect([...kernel.hosts.values()].map((h) => h.entries(keepers).map((e) => e.made))).toEqual([
        [{ where: 'tin of default', mode: 0o600 }],
        [{ where: 'box of other', mode: 0o660 }, { where: 'tin of other', mode: 0o660 }],
      ])
    } finally {
      await kernel.stop()
    }
  })
})
