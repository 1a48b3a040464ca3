import type { PeerFacts } from 'mailwright/api'
import { describe, expect, test } from 'vitest'
import { accountName } from '../../../core/session/auth/login-names.js'
import { Administrators } from '../../../plugins/auth/policies/administrators/policy.js'
import { Guard, type GuardRule, type GuardSettings } from '../../../plugins/auth/policies/guard/guard.js'
import { SessionLimits } from '../../../plugins/auth/policies/session-limits/limits.js'
import { inNetworks, networkOf } from '../../../plugins/auth/shared/networks.js'
import { answering, gateFor, held, HeldClock, LoggedLines, never, octets, peers, tableBackend, words } from '../../support/auth.js'

const at = (address: string, session = `s${address}`): PeerFacts => ({ ...peers.encrypted, address, session })

describe('login names', () => {
  const settings = { lowerCase: false, stripDomains: [], addDomain: undefined, aliases: {} }
  test.each([
    { name: 'as typed', typed: 'Alice@Example.org', with: {}, expected: 'Alice@Example.org' },
    { name: 'small letters', typed: 'Alice@Example.ORG', with: { lowerCase: true }, expected: 'alice@example.org' },
    { name: 'one domain left out', typed: 'alice@Example.org', with: { stripDomains: ['example.org'] }, expected: 'alice' },
    { name: 'another domain stays', typed: 'alice@example.com', with: { stripDomains: ['example.org'] }, expected: 'alice@example.com' },
    { name: 'any domain left out', typed: 'alice@example.com', with: { stripDomains: ['*'] }, expected: 'alice' },
    { name: 'nothing before the domain', typed: '@example.com', with: { stripDomains: ['*'] }, expected: '@example.com' },
    { name: 'a domain added', typed: 'alice', with: { addDomain: 'example.org' }, expected: 'alice@example.org' },
    { name: 'an alias', typed: 'Boss', with: { aliases: { boss: 'alice' }, addDomain: 'example.org' }, expected: 'alice' },
    { name: 'an alias with its domain', typed: 'boss@example.org', with: { aliases: { 'boss@example.org': 'alice' } }, expected: 'alice' },
    { name: 'names that objects have by birth', typed: 'constructor', with: {}, expected: 'constructor' },
  ])('$name', ({ typed, expected, ...row }) => expect(accountName(typed, { ...settings, ...row.with })).toBe(expected))

  test('hold for LOGIN, for mechanisms and for whom one acts for', async () => {
    const names = { ...settings, lowerCase: true, stripDomains: ['example.org'], aliases: { boss: 'alice' } }
    const backend = tableBackend({ alice: 'secret' })
    const { gate } = gateFor({ backends: [backend], settings: { names }, policies: [new Administrators(['ALICE'], () => Promise.resolve([]))] })
    const outcome = await gate.password('Boss', words('secret'), peers.encrypted, never)
    expect(outcome).toMatchObject({ kind: 'in', authcid: 'alice', user: { name: 'alice' } })
    expect(await gate.sasl('PLAIN', octets('Bob@Example.org\0ALICE@example.ORG\0secret'), answering().ask, peers.encrypted, never)).toMatchObject({ kind: 'in', authcid: 'alice', user: { name: 'bob' } })
    expect(backend.asked).toEqual(['alice', 'alice'])
  })
})

describe('administrators', () => {
  test.each([
    { name: 'a listed member', login: 'bob*alice', expected: { kind: 'in', user: { name: 'bob' } } },
    { name: 'a member of the group, in capitals', login: 'bob*carol', expected: { kind: 'in', user: { name: 'bob' } } },
    { name: 'anybody else', login: 'bob*dave', expected: { kind: 'out' } },
    { name: 'oneself', login: 'dave', expected: { kind: 'in', user: { name: 'dave' } } },
  ])('$name', async ({ login, expected }) => {
    const { gate, clock, log } = gateFor({ backends: [tableBackend({ alice: 'x', carol: 'x', dave: 'x' })], policies: [new Administrators(['Alice'], () => Promise.resolve(['CAROL']))] })
    expect((await held(clock, gate.password(login, words('x'), peers.encrypted, never))).value).toMatchObject(expected)
    if (login.includes('*')) expect(log.lines.join('\n')).toMatch(expected.kind === 'in' ? /Admin \w+ override of user=bob/ : /Failed \w+ override of user=bob/)
  })
})

describe('networks', () => {
  test.each([
    { address: '192.0.2.77', ipv4: 24, ipv6: 64, expected: '192.0.2.0/24' },
    { address: '192.0.2.77', ipv4: 30, ipv6: 64, expected: '192.0.2.76/30' },
    { address: '192.0.2.77', ipv4: 8, ipv6: 64, expected: '192.0.0.0/8' },
    { address: '2001:db8:1:2:3::4', ipv4: 24, ipv6: 64, expected: '2001:db8:1:2::/64' },
    { address: '2001:db8::4', ipv4: 24, ipv6: 48, expected: '2001:db8:0::/48' },
    { address: '::1', ipv4: 24, ipv6: 64, expected: '0:0:0:0::/64' },
    { address: 'UNKNOWN', ipv4: 24, ipv6: 64, expected: 'UNKNOWN' },
  ])('$address/$ipv4/$ipv6', ({ address, expected, ...bits }) => expect(networkOf(address, bits)).toBe(expected))
  test('lists', () => {
    const isIn = inNetworks(['192.0.2.0/24', '2001:db8::1'])
    expect(['192.0.2.5', '192.0.3.5', '2001:db8::1', '2001:db8::2', ''].map(isIn)).toEqual([true, false, true, false, false])
  })
})

describe('the guard', () => {
  const rule = (more: Partial<GuardRule>): GuardRule => ({ name: 'test', by: 'address', failures: 3, withinMs: 60_000, effect: 'refuse', forMs: 300_000, delayMs: 5000, ...more })
  const guard = (rules: readonly GuardRule[], more: Partial<GuardSettings> = {}): { readonly guard: Guard; readonly clock: HeldClock; readonly log: LoggedLines; fail(user: string, peer: PeerFacts, times?: number): void } => {
    const clock = new HeldClock()
    const log = new LoggedLines()
    const made = new Guard({ rules, allow: [], allowUsers: [], dryRun: false, ipv4Bits: 24, ipv6Bits: 48, entries: 1000, ...more }, clock, log)
    return {
      guard: made, clock, log,
      fail(user, peer, times = 1) {
        for (let i = 0; i < times; i++) made.failed(user, { kind: 'wrong-password' }, peer)
      },
    }
  }
  const refused = { kind: 'refuse', refusal: { kind: 'throttled' } }
  const allowed = { kind: 'allow' }
  const ask = (g: Guard, user: string, address: string): Promise<unknown> => g.before(user, at(address), never)

  test('an address that fails too often is refused for a while, others are not, and the log has rule, evidence and end', async () => {
    const { guard: g, clock, log, fail } = guard([rule({ name: 'address-block' })])
    fail('alice', at('192.0.2.7'), 2)
    expect(await ask(g, 'alice', '192.0.2.7')).toEqual(allowed)
    fail('bob', at('192.0.2.7'))
    expect([await ask(g, 'carol', '192.0.2.7'), await ask(g, 'alice', '192.0.2.8')]).toEqual([refused, allowed])
    expect(log.lines).toEqual(['warn login guard rule=address-block address=192.0.2.7 effect=refuse evidence=3 failed logins within 0s until=2023-11-14T22:18:20.000Z dryRun=false'])
    expect(g.blocks.list()).toMatchObject([{ rule: 'address-block', what: 'address', key: '192.0.2.7', effect: 'refuse', dryRun: false }])
    clock.advance(300_001)
    expect([await ask(g, 'carol', '192.0.2.7'), g.blocks.list()]).toEqual([allowed, []])
  })
  test('failures that are long ago do not count', async () => {
    const { guard: g, clock, fail } = guard([rule({})])
    for (let i = 0; i < 10; i++) {
      fail('alice', at('192.0.2.7'))
      clock.advance(30_001)
    }
    expect(await ask(g, 'alice', '192.0.2.7')).toEqual(allowed)
  })
  test('a network is counted as one, and an address of IPv6 with the 2^64 beside it', async () => {
    const { guard: g, fail } = guard([rule({ by: 'network' }), rule({ name: 'own', by: 'address' })])
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) fail('alice', at(address))
    expect([await ask(g, 'alice', '192.0.2.200'), await ask(g, 'alice', '192.0.3.1')]).toEqual([refused, allowed])
    for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8::3']) fail('alice', at(address))
    expect(g.blocks.list().map((b) => b.key)).toEqual(['192.0.2.0/24', '2001:db8:0::/48', '2001:db8:0:0::/64'])
  })
  test('a delay lets the login wait, and nobody else', async () => {
    const { guard: g, clock, fail } = guard([rule({ by: 'user', effect: 'delay' })])
    fail('alice', at('192.0.2.7'), 3)
    expect(await ask(g, 'bob', '192.0.2.7')).toEqual(allowed)
    expect((await held(clock, ask(g, 'ALICE', '192.0.2.8'))).ms).toBe(5000)
    const gone = new AbortController()
    const waiting = g.before('alice', at('192.0.2.7'), gone.signal)
    gone.abort()
    await expect(waiting).rejects.toMatchObject({ kind: 'cancelled' })
    expect(clock.pending).toEqual([])
  })
  test('who is on the list is never counted, and a dry run only says what it would do', async () => {
    const free = guard([rule({})], { allow: ['192.0.2.0/24'], allowUsers: ['Monitor'] })
    free.fail('alice', at('192.0.2.7'), 9)
    free.fail('monitor', at('198.51.100.1'), 9)
    expect([await ask(free.guard, 'alice', '192.0.2.7'), await ask(free.guard, 'monitor', '198.51.100.1'), free.log.lines]).toEqual([allowed, allowed, []])
    const dry = guard([rule({})], { dryRun: true })
    dry.fail('alice', at('192.0.2.7'), 9)
    expect([await ask(dry.guard, 'alice', '192.0.2.7'), dry.log.lines.length, dry.guard.blocks.list()[0]?.dryRun]).toEqual([allowed, 1, true])
  })
  test('its own refusals are no failures, so a block ends', async () => {
    const { guard: g, clock, fail } = guard([rule({})])
    fail('alice', at('192.0.2.7'), 3)
    for (let i = 0; i < 10; i++) {
      clock.advance(29_000)
      g.failed('alice', { kind: 'throttled' }, at('192.0.2.7'))
    }
    clock.advance(20_000)
    expect(await ask(g, 'alice', '192.0.2.7')).toEqual(allowed)
  })
  test('what it does is taken back, one key or all', async () => {
    const { guard: g, fail } = guard([rule({ by: 'user' })])
    for (const user of ['alice', 'bob', 'carol']) fail(user, at('192.0.2.7'), 3)
    expect([g.blocks.clear('Alice'), g.blocks.clear('nobody')]).toEqual([1, 0])
    expect([await ask(g, 'alice', '192.0.2.7'), await ask(g, 'bob', '192.0.2.7')]).toEqual([allowed, refused])
    expect([g.blocks.clear(), g.blocks.list()]).toEqual([2, []])
  })
  test('remembers no more than it is told to', () => {
    const { guard: g, fail } = guard([rule({ failures: 1 })], { entries: 100 })
    for (let i = 0; i < 500; i++) fail('alice', at(`192.0.${i >> 8}.${i & 255}`))
    expect(g.blocks.list()).toHaveLength(100)
  })
  test('works in the gate: the right password does not help while it is refused, and the client is told nothing', async () => {
    const { guard: g } = guard([rule({ failures: 2 })])
    const { gate, clock, log } = gateFor({ policies: [g], settings: { maxAttempts: 100 } })
    const login = async (password: string, session: string): Promise<unknown> => (await held(clock, gate.password('alice', words(password), { ...at('192.0.2.7'), session }, never))).value
    expect([await login('x', 'a'), await login('x', 'b'), await login('secret', 'c')]).toEqual([{ kind: 'out' }, { kind: 'out' }, { kind: 'out' }])
    expect(log.lines.at(-1)).toContain('reason=throttled')
  })
})

describe('session limits', () => {
  const limits = (more: Partial<ConstructorParameters<typeof SessionLimits>[0]>): { readonly limits: SessionLimits; readonly clock: HeldClock } => {
    const clock = new HeldClock()
    return { limits: new SessionLimits({ perUser: 0, perAddress: 0, loginsPerHour: 0, allow: [], ...more }, clock, new LoggedLines()), clock }
  }
  const login = async (l: SessionLimits, user: string, address: string, session: string): Promise<string> => (await l.decide({ user: { name: user, kind: 'account', facts: {} }, authcid: user, authzid: '', peer: at(address, session) })).kind
  test('a user has so many sessions at a time, and one more when one has ended', async () => {
    const { limits: l } = limits({ perUser: 2 })
    expect([await login(l, 'alice', 'a', '1'), await login(l, 'alice', 'b', '2'), await login(l, 'alice', 'c', '3'), await login(l, 'bob', 'a', '4')]).toEqual(['allow', 'allow', 'refuse', 'allow'])
    l.ended(at('c', '3'))
    expect(await login(l, 'alice', 'a', '5')).toBe('refuse')
    l.ended(at('a', '1'))
    l.ended(at('a', '1'))
    expect([await login(l, 'alice', 'a', '6'), await login(l, 'alice', 'a', '7')]).toEqual(['allow', 'refuse'])
  })
  test('an address has so many, and whoever is on the list any number', async () => {
    const { limits: l } = limits({ perAddress: 1, allow: ['198.51.100.0/24'] })
    expect([await login(l, 'alice', '192.0.2.1', '1'), await login(l, 'bob', '192.0.2.1', '2'), await login(l, 'bob', '198.51.100.1', '3'), await login(l, 'bob', '198.51.100.1', '4')]).toEqual(['allow', 'refuse', 'allow', 'allow'])
  })
  test('a user logs in so often within an hour (FAQ 7.5)', async () => {
    const { limits: l, clock } = limits({ loginsPerHour: 2 })
    const once = async (session: string): Promise<string> => {
      const kind = await login(l, 'alice', 'a', session)
      l.ended(at('a', session))
      return kind
    }
    expect([await once('1'), await once('2'), await once('3')]).toEqual(['allow', 'allow', 'refuse'])
    clock.advance(3_600_001)
    expect(await once('4')).toBe('allow')
  })
  test('in the gate a login that comes to nothing leaves no session behind', async () => {
    const { limits: l } = limits({ perUser: 1 })
    const { gate, clock } = gateFor({ policies: [l, { decide: (x) => Promise.resolve(x.peer.session === 'bad' ? { kind: 'refuse', refusal: { kind: 'disabled' } } : { kind: 'allow' }) }] })
    expect((await held(clock, gate.password('alice', words('secret'), peers.session('bad'), never))).value.kind).toBe('out')
    expect((await gate.password('alice', words('secret'), peers.session('good'), never)).kind).toBe('in')
    expect((await held(clock, gate.password('alice', words('secret'), peers.session('second'), never))).value.kind).toBe('out')
    await gate.ended(peers.session('good'))
    expect((await gate.password('alice', words('secret'), peers.session('third'), never)).kind).toBe('in')
  })
})
