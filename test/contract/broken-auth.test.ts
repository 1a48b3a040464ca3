import { createHmac } from 'node:crypto'
import { MailError, PASSWORD, type Claim, type MechanismAbout, type PasswordBackend, type SaslContext, type SaslMechanism, type SaslResult, type UserDirectory, type Verdict } from 'mailwright/api'
import { ContractFailure, passwordBackendCases, saslMechanismCases, userDirectoryCases, type AuthCase, type BackendUnderTest, type DirectoryUnderTest, type MechanismUnderTest } from 'mailwright/testing'
import { describe, expect, test } from 'vitest'
import { aboutPasswords, octets, tableBackend, words } from '../support/auth.js'

/** The ids of the cases that fail. */
async function failing<U>(cases: readonly AuthCase<U>[], under: U): Promise<readonly string[]> {
  const out: string[] = []
  for (const one of cases) {
    if (one.unless?.(under) !== undefined) continue
    try {
      await one.run(under)
    } catch (error) {
      if (!(error instanceof ContractFailure)) throw error
      out.push(one.id)
    }
  }
  return out
}

describe('password backends', () => {
  const table = { alice: 'correct horse', bob: 'battery staple' }
  const users = [{ name: 'alice', password: table.alice }, { name: 'bob', password: table.bob }] as const
  const right = (): PasswordBackend => tableBackend(table)
  const passwordIn = (claim: Claim): string => (claim.kind === 'password' ? Buffer.from(claim.password.reveal()).toString() : '')
  const answering = (answer: (user: string, password: string) => Verdict | Promise<Verdict>): PasswordBackend => ({
    verify: async (claim) => (claim.kind === 'password' ? await answer(claim.user, passwordIn(claim)) : { kind: 'unknown-user' }),
  })
  const stored = (user: string): string | undefined => (Object.hasOwn(table, user) ? table[user as keyof typeof table] : undefined)
  const judge = (user: string, given: string, compare: (a: string, b: string) => boolean): Verdict => {
    const known = stored(user)
    return known === undefined ? { kind: 'unknown-user' } : compare(known, given) ? { kind: 'accepted', user, alerts: [] } : { kind: 'wrong-password' }
  }
  test.each<{ name: string; by: string; under: Partial<BackendUnderTest> }>([
    { name: 'trims passwords', by: 'wrong', under: { backend: answering((u, p) => judge(u, p, (a, b) => a === b.trim())) } },
    { name: 'compares without regard to case', by: 'wrong', under: { backend: answering((u, p) => judge(u, p, (a, b) => a.toLowerCase() === b.toLowerCase())) } },
    { name: 'compares only the beginning', by: 'wrong', under: { backend: answering((u, p) => judge(u, p, (a, b) => b.startsWith(a))) } },
    { name: 'takes an empty password', by: 'no-words', under: { backend: answering((u, p) => judge(u, p, (a, b) => b === '' || a === b)) } },
    { name: 'says "wrong" of unknown users', by: 'unknown', under: { backend: answering((u, p) => (stored(u) === undefined ? { kind: 'wrong-password' } : judge(u, p, (a, b) => a === b))) } },
    { name: 'reads a star in a name', by: 'hostile-names', under: { backend: answering((u, p) => judge(u, p, (a, b) => a === b).kind === 'unknown-user' && u.includes('*') && p === table.bob ? { kind: 'accepted', user: u, alerts: [] } : judge(u, p, (a, b) => a === b)) } },
    { name: 'throws at strange names', by: 'hostile-names', under: { backend: answering((u, p) => (u.includes("'") ? Promise.reject(new Error('syntax error')) : judge(u, p, (a, b) => a === b))) } },
    { name: 'mixes up answers', by: 'side-by-side', under: { backend: mixingUp(right()) } },
    { name: 'answers tokens as if they were passwords', by: 'other-claims', under: { backend: { verify: (claim) => Promise.resolve('user' in claim ? { kind: 'accepted', user: claim.user, alerts: [] } : { kind: 'unknown-user' }) } } },
    { name: 'takes an outage for an unknown user', by: 'outage', under: { broken: answering(() => ({ kind: 'unknown-user' })) } },
    { name: 'hands out credentials of anybody', by: 'lookup', under: { about: { ...aboutPasswords, holds: [PASSWORD] }, backend: { ...right(), lookup: (user, kind) => Promise.resolve(kind.id === PASSWORD.id ? { user, value: kind.codec.decode(octets('x')) } : undefined) } } },
    { name: 'serves more than it says', by: 'serves', under: { backend: { ...right(), serves: () => Promise.resolve({ verifies: ['token'], holds: [] }) } } },
    { name: 'keeps the old password too', by: 'change', under: { about: { ...aboutPasswords, changes: true }, backend: { ...right(), change: () => Promise.resolve({ kind: 'accepted', user: 'bob', alerts: [] }) } } },
  ])('one that $name is caught by $by', async ({ by, under }) => {
    expect(await failing(passwordBackendCases, { about: aboutPasswords, users, backend: right(), ...under })).toContain(by)
  })
  test('a right one is not', async () => {
    const broken: PasswordBackend = { verify: () => Promise.reject(new MailError('unavailable', 'out')) }
    expect(await failing(passwordBackendCases, { about: aboutPasswords, users, backend: right(), broken, stalled: broken })).toEqual([])
  })
  function mixingUp(inner: PasswordBackend): PasswordBackend {
    let last: Claim | undefined
    return {
      async verify(claim, peer, signal) {
        last = claim
        await Promise.resolve()
        return await (inner.verify?.(last, peer, signal) ?? Promise.resolve({ kind: 'unknown-user' as const }))
      },
    }
  }
})

describe('mechanisms', () => {
  const about: MechanismAbout = { name: 'TEST', exposesPassword: false, verifiesBy: [], worksWith: [PASSWORD], offered: () => true }
  let drawn = 0
  interface Defect {
    readonly constantChallenge?: boolean
    readonly skipCheck?: boolean
    readonly early?: boolean
    readonly grantsAuthzid?: boolean
    readonly swallowsCancel?: boolean
    readonly swallowsOutage?: boolean
    readonly keepsState?: boolean
    readonly throws?: boolean
    readonly noLimit?: boolean
    readonly prefix?: boolean
  }
  /** `user SP authzid SP digest` of a challenge, as it should be and with a defect. */
  function mechanism(d: Defect): SaslMechanism {
    let shared = ''
    return {
      async authenticate(x: SaslContext): Promise<SaslResult> {
        const challenge = octets(d.constantChallenge === true ? 'fixed' : `challenge ${++drawn}`)
        let answer: Uint8Array
        try {
          answer = await x.ask(challenge)
        } catch (error) {
          if (d.swallowsCancel === true) return { kind: 'malformed' }
          throw error
        }
        if (answer.length > 500 && d.noLimit !== true) return { kind: 'malformed' }
        const said = /^(\S+) (\S*) ([0-9a-f]+)/.exec(Buffer.from(answer).toString('latin1'))
        if (said === null) {
          if (d.throws === true) throw new TypeError('cannot read properties of null')
          return { kind: 'malformed' }
        }
        const [whole, user = '', authzid = '', digest = ''] = said
        if (d.noLimit !== true && whole.length !== answer.length) return { kind: 'malformed' }
        shared = user
        const known = await x.lookup(user, PASSWORD).catch((error: unknown) => {
          if (d.swallowsOutage === true) return undefined
          throw error
        })
        await Promise.resolve()
        if (known === undefined) {
          if (d.early === true) await x.ask(octets('who are you?'))
          return { kind: 'unknown-user' }
        }
        const expected = createHmac('md5', known.value.reveal()).update(challenge).digest('hex')
        const isRight = d.skipCheck === true || (d.prefix === true ? expected.startsWith(digest) : expected === digest)
        if (!isRight) return { kind: 'wrong-password' }
        const authcid = d.keepsState === true ? shared : known.user
        return d.grantsAuthzid === true && authzid !== '' ? { kind: 'proved', authcid: authzid, authzid: '', alerts: [] } : { kind: 'proved', authcid, authzid, alerts: [] }
      },
    }
  }
  const under = (d: Defect): MechanismUnderTest => {
    const one = mechanism(d)
    return {
      about,
      create: () => one,
      credential: (kind, secret) => (kind.id === PASSWORD.id ? kind.codec.decode(PASSWORD.codec.encode(words(secret))) : undefined),
      client: ({ user, secret, authzid = '' }) => ({ answer: (challenge) => octets(`${user} ${authzid} ${createHmac('md5', secret).update(challenge).digest('hex')}`) }),
    }
  }
  test.each<{ name: string; by: string; defect: Defect }>([
    { name: 'challenges the same every time', by: 'replay', defect: { constantChallenge: true } },
    { name: 'checks nothing', by: 'wrong-secret', defect: { skipCheck: true } },
    { name: 'asks unknown users more', by: 'unknown-user', defect: { early: true } },
    { name: 'makes the wish the identity', by: 'authzid', defect: { grantsAuthzid: true } },
    { name: 'takes breaking off for an answer', by: 'cancelled', defect: { swallowsCancel: true } },
    { name: 'takes an outage for an unknown user', by: 'outage', defect: { swallowsOutage: true } },
    { name: 'keeps the user in the object', by: 'side-by-side', defect: { keepsState: true } },
    { name: 'throws at what it cannot read', by: 'nonsense', defect: { throws: true } },
    { name: 'reads what is far too long', by: 'oversize', defect: { noLimit: true } },
    { name: 'takes the beginning of a proof', by: 'truncated', defect: { prefix: true } },
  ])('one that $name is caught by $by', async ({ by, defect }) => expect(await failing(saslMechanismCases, under(defect))).toContain(by))
  test('one with a name that is none is caught by about', async () => {
    expect(await failing(saslMechanismCases, { ...under({}), about: { ...about, name: 'lower case' } })).toEqual(['about'])
  })
  test('a right one is not', async () => expect(await failing(saslMechanismCases, under({}))).toEqual([]))
})

describe('user directories', () => {
  const right: UserDirectory = { find: (user) => Promise.resolve(user === 'alice' ? { name: 'alice', kind: 'account', home: '/srv/alice', facts: {} } : undefined) }
  let calls = 0
  test.each<{ name: string; by: string; under: Partial<DirectoryUnderTest> }>([
    { name: 'knows everybody', by: 'unknown', under: { directory: { find: (name) => Promise.resolve({ name, kind: 'account', home: '/srv/x', facts: {} }) } } },
    { name: 'has relative homes', by: 'known', under: { directory: { find: async (user, signal) => (await right.find(user, signal)) && { name: user, kind: 'account', home: 'srv/alice', facts: {} } } } },
    { name: 'leads out of its folder', by: 'hostile-names', under: { homesBelow: '/srv', unknown: [], directory: { find: (name) => Promise.resolve({ name, kind: 'account', home: `/srv/${name}`, facts: {} }) } } },
    { name: 'reads a star in a name', by: 'hostile-names', under: { directory: { find: (user, signal) => right.find(user.replace(/\*.*/, ''), signal) } } },
    { name: 'says something else each time', by: 'same', under: { directory: { find: async (user, signal) => (await right.find(user, signal)) && { name: user, kind: 'account', home: `/srv/${++calls}`, facts: {} } } } },
    { name: 'takes an outage for nobody', by: 'outage', under: { broken: { find: () => Promise.resolve(undefined) } } },
  ])('one that $name is caught by $by', async ({ by, under }) => {
    expect(await failing(userDirectoryCases, { directory: right, known: ['alice'], unknown: ['zoe'], ...under })).toContain(by)
  })
  test('a right one is not', async () => {
    expect(await failing(userDirectoryCases, { directory: right, known: ['alice'], unknown: ['zoe'], homesBelow: '/srv', broken: { find: () => Promise.reject(new Error('out')) } })).toEqual([])
  })
})
