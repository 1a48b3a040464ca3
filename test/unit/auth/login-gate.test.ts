import { createCredentialKind, MailError, type LoginPolicy, type PasswordBackend, type SaslMechanism, type UserDirectory } from 'mailwright/api'
import { describe, expect, test } from 'vitest'
import { aboutPasswords, answering, builtinMechanisms, entry, gateFor, held, never, octets, openDirectory, peers, tableBackend, turns, words } from '../../support/auth.js'

const nobody = async (): Promise<Uint8Array> => Promise.reject(new Error('nobody was to be asked'))
const alice = { name: 'alice', kind: 'account', home: '/home/alice', facts: {} }

describe('what is offered', () => {
  test.each([
    { plaintext: 'encrypted-only' as const, clear: [], tls: ['PLAIN', 'LOGIN'], password: [false, true] },
    { plaintext: 'always' as const, clear: ['PLAIN', 'LOGIN'], tls: ['PLAIN', 'LOGIN'], password: [true, true] },
    { plaintext: 'never' as const, clear: [], tls: [], password: [false, false] },
  ])('plaintext $plaintext', ({ plaintext, clear, tls, password }) => {
    const { gate } = gateFor({ settings: { plaintext } })
    expect(gate.mechanisms(peers.clear)).toEqual(clear)
    expect(gate.mechanisms({ ...peers.clear, address: '127.0.0.1', localAddress: '127.0.0.1' })).toEqual(clear)
    expect(gate.mechanisms(peers.encrypted)).toEqual(tls)
    expect([gate.plaintext(peers.clear), gate.plaintext(peers.encrypted)]).toEqual(password)
  })

  test('mechanisms that no backend serves are not offered, and LOGIN is disabled', () => {
    const { gate } = gateFor({ backends: [{}], about: { verifies: [], holds: [], changes: false }, settings: { plaintext: 'always' } })
    expect(gate.mechanisms(peers.encrypted)).toEqual([])
    expect(gate.plaintext(peers.encrypted)).toBe(false)
  })

  test('a mechanism is served by a credential kind that a backend holds, and asked per connection', () => {
    const kind = createCredentialKind<string>('nt-hash', { encode: octets, decode: String })
    const mechanism: SaslMechanism = { authenticate: () => Promise.resolve({ kind: 'wrong-password' }) }
    const about = { name: 'NTLM', exposesPassword: false, verifiesBy: [], worksWith: [kind], offered: (p: { address: string }) => p.address !== '192.0.2.9' }
    const mechanisms = [entry('ntlm', mechanism, about), ...builtinMechanisms]
    expect(gateFor({ mechanisms }).gate.mechanisms(peers.clear)).toEqual([])
    const { gate } = gateFor({ mechanisms, about: { ...aboutPasswords, holds: [kind] } })
    expect(gate.mechanisms(peers.clear)).toEqual(['NTLM'])
    expect(gate.mechanisms({ ...peers.clear, address: '192.0.2.9' })).toEqual([])
  })

  test.each(['PLAIN', 'XYZZY', 'plain'])('%s in clear is unsupported, the same as an unknown one', async (name) => {
    const { gate, log } = gateFor()
    await expect(gate.sasl(name, undefined, nobody, peers.clear, never)).rejects.toMatchObject({ kind: 'unsupported', message: 'this mechanism is not offered here' })
    expect(log.lines).toEqual([`info AUTHENTICATE ${name.toUpperCase()} invalid host=[192.0.2.7]`])
  })
})

describe('LOGIN', () => {
  test('lets in at once', async () => {
    const { gate, clock, log } = gateFor()
    expect(await held(clock, gate.password('alice', words('secret'), { ...peers.encrypted, name: 'client.example.org' }, never))).toEqual({
      ms: 0,
      value: { kind: 'in', user: alice, authcid: 'alice', alerts: [] },
    })
    expect(log.lines).toEqual(['info Login user=alice host=client.example.org [192.0.2.7]'])
  })

  const empty: UserDirectory = { find: () => Promise.resolve(undefined) }
  const root: UserDirectory = { find: (name) => Promise.resolve({ name, kind: 'account', ids: { uid: 0, gid: 0, groups: [] }, facts: {} }) }
  const refusing: LoginPolicy = { decide: () => Promise.resolve({ kind: 'refuse', refusal: { kind: 'disabled' } }) }
  const early: LoginPolicy = { before: () => Promise.resolve({ kind: 'refuse', refusal: { kind: 'throttled' } }) }
  const expired: PasswordBackend = { verify: () => Promise.resolve({ kind: 'expired' }) }
  test.each([
    { name: 'wrong password', user: 'alice', password: 'x', reason: 'wrong-password' },
    { name: 'unknown user', user: 'bob', password: 'secret', reason: 'unknown-user' },
    { name: 'empty password', user: 'alice', password: '', reason: 'wrong-password' },
    { name: 'empty user', user: '', password: 'secret', reason: 'malformed' },
    { name: 'NUL in the password', user: 'alice', password: 'secret\0', reason: 'malformed' },
    { name: 'NUL in the name', user: 'alice\0', password: 'secret', reason: 'malformed', logged: 'alice?' },
    { name: 'line end in the name', user: 'alice\r\nLogin user=bob', password: 'x', reason: 'malformed', logged: 'alice??Login user=bob' },
    { name: 'oversized password', user: 'alice', password: 'x'.repeat(1025), reason: 'malformed' },
    { name: 'no account', user: 'alice', password: 'secret', reason: 'unknown-user', directories: [empty] },
    { name: 'uid 0', user: 'alice', password: 'secret', reason: 'not-permitted', directories: [root] },
    { name: 'policy after', user: 'alice', password: 'secret', reason: 'disabled', policies: [refusing] },
    { name: 'policy before', user: 'alice', password: 'secret', reason: 'throttled', policies: [early] },
    { name: 'expired', user: 'alice', password: 'secret', reason: 'expired', backends: [expired] },
  ])('$name: one answer, the same time, the true reason in the log', async ({ user, password, reason, logged, name: _name, ...parts }) => {
    const { gate, clock, log } = gateFor(parts)
    expect(await held(clock, gate.password(user, words(password), peers.encrypted, never))).toEqual({ ms: 3000, value: { kind: 'out' } })
    const shown = logged ?? user
    expect(log.lines).toEqual([`info Login failed user=${shown} auth=${shown} host=[192.0.2.7] reason=${reason}`])
  })

  test('in clear it is refused like everything else, and asks nobody', async () => {
    const backend = tableBackend({ alice: 'secret' })
    const { gate, clock, log } = gateFor({ backends: [backend] })
    expect(await held(clock, gate.password('alice', words('secret'), peers.clear, never))).toEqual({ ms: 3000, value: { kind: 'out' } })
    expect(backend.asked).toEqual([])
    expect(log.lines).toEqual(['info Login disabled user=alice auth=alice host=[192.0.2.7]'])
  })

  test('a slow hash does not show: the answer comes at the same tick as for an unknown user', async () => {
    const slow = tableBackend({ alice: 'secret' })
    const { gate, clock } = gateFor({
      backends: [
        {
          async verify(claim, peer, signal) {
            const verdict = await slow.verify?.(claim, peer, signal)
            if (verdict?.kind === 'wrong-password') clock.advance(250)
            return verdict ?? { kind: 'unknown-user' }
          },
        },
      ],
    })
    expect((await held(clock, gate.password('alice', words('x'), peers.encrypted, never))).ms).toBe(3000)
    expect((await held(clock, gate.password('bob', words('x'), peers.encrypted, never))).ms).toBe(3000)
  })

  test('one that takes longer than the delay is held to the next whole one', async () => {
    const { gate, clock } = gateFor({
      backends: [{ verify: () => (clock.advance(3100), Promise.resolve({ kind: 'wrong-password' })) }],
    })
    expect((await held(clock, gate.password('alice', words('x'), peers.encrypted, never))).ms).toBe(6000)
  })

  test('a held refusal holds nobody else', async () => {
    const { gate, clock } = gateFor()
    const refused = gate.password('bob', words('x'), peers.session('s1'), never)
    await turns()
    expect(clock.pending).toEqual([3000])
    expect(await gate.password('alice', words('secret'), peers.session('s2'), never)).toMatchObject({ kind: 'in' })
    expect((await held(clock, refused)).value).toEqual({ kind: 'out' })
  })

  test('the end of the session ends the delay and leaves no timer', async () => {
    const { gate, clock } = gateFor()
    const session = new AbortController()
    const refused = gate.password('bob', words('x'), peers.encrypted, session.signal)
    refused.catch(() => undefined)
    await turns()
    session.abort()
    await expect(refused).rejects.toMatchObject({ kind: 'cancelled' })
    expect(clock.pending).toEqual([])
  })
})

describe('attempts', () => {
  test('three failures, also across STARTTLS, end all further attempts of the session and of no other', async () => {
    const backend = tableBackend({ alice: 'secret' })
    const { gate, clock, log } = gateFor({ backends: [backend] })
    await held(clock, gate.password('alice', words('x'), peers.clear, never))
    await held(clock, gate.sasl('PLAIN', octets('\0alice\0x'), nobody, peers.encrypted, never))
    await held(clock, gate.password('alice', words('x'), peers.encrypted, never))
    backend.asked.length = 0
    log.lines.length = 0
    expect(await held(clock, gate.password('alice', words('secret'), peers.encrypted, never))).toEqual({ ms: 3000, value: { kind: 'out' } })
    expect(await held(clock, gate.sasl('PLAIN', octets('\0alice\0secret'), nobody, peers.encrypted, never))).toEqual({ ms: 3000, value: { kind: 'out' } })
    expect(backend.asked).toEqual([])
    expect(log.lines).toEqual([
      'info Login excessive login failures user=alice auth=alice host=[192.0.2.7]',
      'info Login excessive login failures user=alice auth=alice host=[192.0.2.7]',
      'info AUTHENTICATE PLAIN failure host=[192.0.2.7]',
    ])
    expect(await gate.password('alice', words('secret'), peers.session('s2'), never)).toMatchObject({ kind: 'in' })
  })

  test('two failures and a success leave all attempts', async () => {
    const { gate, clock } = gateFor()
    for (let round = 0; round < 3; round++) {
      await held(clock, gate.password('alice', words('x'), peers.encrypted, never))
      await held(clock, gate.password('alice', words('x'), peers.encrypted, never))
      expect(await gate.password('alice', words('secret'), peers.encrypted, never)).toMatchObject({ kind: 'in' })
    }
  })

  test.each([
    { name: 'at the limit', user: 'a'.repeat(64), attack: false },
    { name: 'one past it', user: 'a'.repeat(65), attack: true },
    { name: 'a long domain', user: `${'a'.repeat(64)}@${'b'.repeat(189)}`, attack: false },
    { name: 'too long a domain', user: `${'a'.repeat(64)}@${'b'.repeat(190)}`, attack: true },
    { name: 'as administrator', user: `alice*${'a'.repeat(65)}`, attack: true },
    { name: 'with an administrator', user: `${'a'.repeat(65)}*alice`, attack: true },
  ])('user name $name', async ({ user, attack }) => {
    const { gate, clock, log } = gateFor()
    expect(await held(clock, gate.password(user, words('x'), peers.encrypted, never))).toEqual({ ms: 3000, value: { kind: 'out' } })
    expect(log.lines.some((line) => line.startsWith('warn Login SYSTEM BREAK-IN ATTEMPT'))).toBe(attack)
    expect((await held(clock, gate.password('alice', words('secret'), peers.encrypted, never))).value.kind).toBe(attack ? 'out' : 'in')
  })

  test('a caller without session names is counted by its peer facts', async () => {
    const { gate, clock } = gateFor({ settings: { maxAttempts: 1 } })
    const { session: _session, ...peer } = peers.encrypted
    await held(clock, gate.password('alice', words('x'), peer, never))
    expect((await held(clock, gate.password('alice', words('secret'), peer, never))).value.kind).toBe('out')
    expect((await held(clock, gate.password('alice', words('secret'), { ...peer }, never))).value.kind).toBe('in')
  })
})

describe('the chain', () => {
  test('goes on after an unknown user and stops at a wrong password', async () => {
    const first = tableBackend({ alice: 'one' })
    const second = tableBackend({ alice: 'two', bob: 'two' })
    const { gate, clock } = gateFor({ backends: [first, second] })
    expect(await gate.password('bob', words('two'), peers.encrypted, never)).toMatchObject({ kind: 'in' })
    expect((await held(clock, gate.password('alice', words('two'), peers.encrypted, never))).value).toEqual({ kind: 'out' })
    expect(second.asked).toEqual(['bob'])
  })

  test('goes on after a wrong password where the entry says fallthrough', async () => {
    const { gate, clock, log } = gateFor({ backends: [tableBackend({ alice: 'one' }, { fallthrough: true }), tableBackend({ alice: 'two' })] })
    expect(await gate.password('alice', words('two'), peers.encrypted, never)).toMatchObject({ kind: 'in' })
    await held(clock, gate.password('alice', words('x'), peers.encrypted, never))
    expect(log.lines.at(-1)).toContain('reason=wrong-password')
  })

  test.each([
    { name: 'an outage', error: new MailError('unavailable', 'database is down') },
    { name: 'a fault of the plugin', error: new TypeError('undefined is not a function') },
  ])('$name is no answer: at once, uncounted, and nobody else is asked', async ({ error }) => {
    const broken: PasswordBackend = { verify: () => Promise.reject(error) }
    const second = tableBackend({ alice: 'secret' })
    const { gate, clock, log } = gateFor({ backends: [broken, second], settings: { maxAttempts: 1 } })
    for (let i = 0; i < 3; i++) {
      await expect(gate.password('alice', words('secret'), peers.encrypted, never)).rejects.toMatchObject({ kind: 'unavailable', message: `password backend "b0": ${error.message}`, cause: error })
    }
    expect(second.asked).toEqual([])
    expect(clock.pending).toEqual([])
    expect(log.lines).toEqual(Array.from({ length: 3 }, () => `warn Login unavailable user=alice auth=alice host=[192.0.2.7] why=password backend "b0": ${error.message}`))
  })

  test('a directory that fails is an outage too', async () => {
    const { gate } = gateFor({ directories: [{ find: () => Promise.reject(new Error('no route')) }] })
    await expect(gate.password('alice', words('secret'), peers.encrypted, never)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test('the first directory that knows the user answers', async () => {
    const second: UserDirectory = { find: (name) => Promise.resolve({ name, kind: 'account', home: '/second', facts: {} }) }
    const { gate } = gateFor({ directories: [{ find: () => Promise.resolve(undefined) }, second, openDirectory] })
    expect(await gate.password('alice', words('secret'), peers.encrypted, never)).toMatchObject({ user: { home: '/second' } })
  })

  test('backends learn after a success only, and their failure is nobody else\'s', async () => {
    const learnt: string[] = []
    const learning = tableBackend({}, { learn: (user, password) => (learnt.push(`${user}:${Buffer.from(password.reveal()).toString()}`), Promise.resolve()) })
    const failing = tableBackend({ alice: 'secret' }, { learn: () => Promise.reject(new Error('disk full')) })
    const { gate, clock, log } = gateFor({ backends: [failing, learning] })
    await held(clock, gate.password('alice', words('x'), peers.encrypted, never))
    expect(await gate.password('alice', words('secret'), peers.encrypted, never)).toMatchObject({ kind: 'in' })
    await gate.sasl('PLAIN', octets('\0alice\0secret'), nobody, peers.encrypted, never)
    await gate[Symbol.asyncDispose]()
    expect(learnt).toEqual(['alice:secret', 'alice:secret'])
    expect(log.lines.filter((line) => line.startsWith('error'))).toHaveLength(2)
    expect(log.lines.join('\n')).not.toContain('secret')
  })

  test('the habits of clients are tried only when asked for', async () => {
    const { gate, clock } = gateFor()
    const retries = { spacedPasswordRetry: true, lowerCaseUserRetry: true }
    expect((await held(clock, gate.password('Alice', words('secret'), peers.session('a'), never))).value.kind).toBe('out')
    expect((await held(clock, gate.password('alice', words(' secret'), peers.session('a'), never))).value.kind).toBe('out')
    expect(await gate.password('Alice', words(' secret'), peers.session('a'), never, retries)).toMatchObject({ kind: 'in', authcid: 'alice' })
    expect((await held(clock, gate.password('alice', words('  secret'), peers.session('a'), never, retries))).value.kind).toBe('out')
    expect((await held(clock, gate.password('alice', words(' '), peers.session('a'), never, retries))).value.kind).toBe('out')
  })
})

describe('acting for somebody else', () => {
  const backends = (): PasswordBackend[] => [tableBackend({ alice: 'secret', joe: 'admin' })]
  const admins: LoginPolicy = { decide: ({ authcid }) => Promise.resolve({ kind: 'allow', vouches: authcid === 'joe', alerts: ['you are an administrator'] }) }

  test('nobody may without a policy that vouches', async () => {
    const permissive: LoginPolicy = { decide: () => Promise.resolve({ kind: 'allow' }) }
    for (const policies of [[], [permissive]]) {
      const { gate, clock, log } = gateFor({ backends: backends(), policies })
      expect((await held(clock, gate.password('alice*joe', words('admin'), peers.encrypted, never))).value).toEqual({ kind: 'out' })
      expect(log.lines).toEqual(['info Failed joe override of user=alice host=[192.0.2.7]', 'info Login failed user=alice auth=joe host=[192.0.2.7] reason=not-permitted'])
    }
  })

  test('a policy that vouches lets the administrator in as the user', async () => {
    const { gate, log } = gateFor({ backends: backends(), policies: [admins] })
    expect(await gate.password('alice*joe', words('admin'), peers.encrypted, never)).toEqual({ kind: 'in', user: alice, authcid: 'joe', alerts: ['you are an administrator'] })
    expect(log.lines).toEqual(['info Admin joe override of user=alice host=[192.0.2.7]', 'info Login user=alice host=[192.0.2.7]'])
  })

  test.each([
    { name: 'the user is uid 0', find: { alice: 0, joe: 5 }, kind: 'out' },
    { name: 'the administrator is uid 0', find: { alice: 5, joe: 0 }, kind: 'in' },
    { name: 'the administrator has no account', find: { alice: 5 }, kind: 'out' },
    { name: 'the user has no account', find: { joe: 5 }, kind: 'out' },
  ])('$name', async ({ find, kind }) => {
    const uids: Readonly<Record<string, number>> = find
    const directory: UserDirectory = {
      find(name) {
        const uid = uids[name]
        return Promise.resolve(uid === undefined ? undefined : { name, kind: 'account', ids: { uid, gid: 5, groups: [] }, facts: {} })
      },
    }
    const { gate, clock } = gateFor({ backends: backends(), policies: [admins], directories: [directory] })
    expect((await held(clock, gate.password('alice*joe', words('admin'), peers.encrypted, never))).value.kind).toBe(kind)
  })

  test('an authzid that leads to the same account is nobody else', async () => {
    const folding: UserDirectory = { find: (name) => Promise.resolve({ name: name.toLowerCase(), kind: 'account', facts: {} }) }
    const { gate, clock } = gateFor({ directories: [folding] })
    expect(await gate.sasl('PLAIN', octets('Alice\0alice\0secret'), nobody, peers.session('a'), never)).toMatchObject({ kind: 'in', user: { name: 'alice' } })
    const exact = gateFor()
    expect((await held(exact.clock, exact.gate.sasl('PLAIN', octets('Alice\0alice\0secret'), nobody, peers.session('a'), never))).value.kind).toBe('out')
    expect(clock.pending).toEqual([])
  })
})

describe('policies', () => {
  test('a referral is told, without delay', async () => {
    const policy: LoginPolicy = { decide: () => Promise.resolve({ kind: 'referral', url: 'imap://alice@two.example.org/' }) }
    const { gate, clock } = gateFor({ policies: [policy] })
    expect(await held(clock, gate.password('alice', words('secret'), peers.encrypted, never))).toEqual({ ms: 0, value: { kind: 'out', referral: 'imap://alice@two.example.org/' } })
  })

  test('they hear of failures with the true reason, and what they throw there is contained', async () => {
    const heard: string[] = []
    const listening: LoginPolicy = { failed: (user, { kind }, { address }) => void heard.push(`${user} ${kind} ${address}`) }
    const faulty: LoginPolicy = {
      failed() {
        throw new Error('oops')
      },
    }
    const { gate, clock } = gateFor({ policies: [faulty, listening] })
    expect((await held(clock, gate.password('bob', words('x'), peers.encrypted, never))).value).toEqual({ kind: 'out' })
    expect(heard).toEqual(['bob unknown-user 192.0.2.7'])
  })

  test('they are asked once before each name, not again after the proof', async () => {
    const asked: string[] = []
    const policy: LoginPolicy = { before: (user) => (asked.push(user), Promise.resolve({ kind: 'allow' })) }
    const { gate } = gateFor({ policies: [policy] })
    await gate.sasl('LOGIN', octets('alice'), answering('secret').ask, peers.encrypted, never)
    expect(asked).toEqual(['alice'])
  })
})

describe('other mechanisms', () => {
  const about = { name: 'TEST', exposesPassword: false, verifiesBy: [], worksWith: [], offered: () => true }

  test('success data goes as a challenge that wants an empty answer (RFC 4422 §3.6)', async () => {
    const mechanism: SaslMechanism = { authenticate: () => Promise.resolve({ kind: 'proved', authcid: 'alice', authzid: '', alerts: [], data: octets('v=proof'), layer: { use: 'wrap', state: octets('k') } }) }
    const { gate, clock } = gateFor({ mechanisms: [entry('test', mechanism, about)] })
    const client = answering('')
    expect(await gate.sasl('TEST', undefined, client.ask, peers.clear, never)).toEqual({ kind: 'in', user: alice, authcid: 'alice', alerts: [], layer: { use: 'wrap', state: octets('k') } })
    expect(client.challenges).toEqual(['v=proof'])
    expect((await held(clock, gate.sasl('TEST', undefined, answering('more').ask, peers.clear, never))).value).toEqual({ kind: 'out' })
    await expect(gate.sasl('TEST', undefined, answering().ask, peers.clear, never)).rejects.toThrow('cancelled by the client')
  })

  test('a mechanism that asks nobody still meets the rules', async () => {
    const mechanism: SaslMechanism = { authenticate: () => Promise.resolve({ kind: 'proved', authcid: 'alice', authzid: 'bob', alerts: [] }) }
    const { gate, clock } = gateFor({ mechanisms: [entry('test', mechanism, about)], settings: { maxAttempts: 1 } })
    expect((await held(clock, gate.sasl('test', undefined, nobody, peers.clear, never))).value).toEqual({ kind: 'out' })
  })

  test('anonymous users are their own kind', async () => {
    const mechanism: SaslMechanism = { authenticate: () => Promise.resolve({ kind: 'anonymous', trace: 'guest\r\n@example.org' }) }
    const { gate, log } = gateFor({ mechanisms: [entry('test', mechanism, about)] })
    expect(await gate.sasl('TEST', undefined, nobody, peers.clear, never)).toMatchObject({ kind: 'in', user: { kind: 'anonymous', name: 'anonymous' } })
    expect(log.lines).toEqual(['info Authenticated anonymous=guest??@example.org host=[192.0.2.7] mech=TEST'])
  })
})

test('changing a password proves the old one first', async () => {
  const changed: string[] = []
  const backend = tableBackend({ alice: 'secret' }, { change: (user) => (changed.push(user), Promise.resolve({ kind: 'accepted', user, alerts: [] })) })
  const { gate, clock } = gateFor({ backends: [tableBackend({ bob: 'b' }), backend] })
  expect(await held(clock, gate.change('alice', words('x'), words('new'), never))).toEqual({ ms: 3000, value: { kind: 'wrong-password' } })
  expect(await gate.change('bob', words('b'), words('new'), never)).toEqual({ kind: 'not-permitted' })
  expect(await gate.change('alice', words('secret'), words('new'), never)).toMatchObject({ kind: 'accepted' })
  expect(changed).toEqual(['alice'])
})
