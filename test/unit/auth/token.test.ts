import type { MailUser, PasswordBackend, UserDirectory, Verdict } from 'mailwright/api'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TokenHook, withToken, type TokenSettings } from '../../../plugins/auth/shared/token/hook.js'
import { LoggedLines, never, peers, words } from '../../support/auth.js'
import { tokenProgram, type TokenProgram } from '../../support/token-program.js'

const isRoot = process.getuid?.() === 0
const IDS = isRoot ? { uid: 64_011, gid: 64_012, groups: [64_013] } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, groups: [] }
const account = (name: string, ids: MailUser['ids'] | undefined = IDS): MailUser => ({ name, kind: 'account', home: `/home/${name}`, facts: {}, ...(ids === undefined ? {} : { ids }) })
const directory: UserDirectory = {
  find: (user) => Promise.resolve(user === 'nobody' ? undefined : user === 'virtual' ? { name: user, kind: 'account', facts: {} } : user === 'root' ? account(user, { uid: 0, gid: 0, groups: [] }) : account(user)),
}
let folder = ''
let cell: TokenProgram
const log = new LoggedLines()
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-token-'))
  await chmod(folder, 0o711)
  cell = await tokenProgram(folder)
})
afterEach(() => rm(folder, { recursive: true, force: true }))
const hookOf = (settings: Partial<TokenSettings> = {}, ownUid?: () => number): TokenHook =>
  new TokenHook({ program: cell.program, arguments: ['-cell'], services: [], timeoutMs: 10_000, parallel: 4, ...settings }, { directories: [directory], logger: log, ...(ownUid === undefined ? {} : { ownUid }) })
const login = (user: string, service = 'imap', password = 'secret'): Parameters<TokenHook['obtain']>[0] => ({ user, password: words(password), peer: { ...peers.encrypted, service } })

test('a token is got with the password and the ids of the account, and dropped when the last of its logins ends', async () => {
  const hook = hookOf()
  await hook.obtain(login('alice'), never)
  expect(await cell.token('alice')).toBe('secret')
  await hook.obtain(login('alice', 'pop'), never)
  await hook.released('alice')
  expect(await cell.token('alice')).toBe('secret')
  await hook.released('alice')
  expect(await cell.token('alice')).toBeUndefined()
  await hook.released('alice')
  const [first = '', second, third, ...more] = await cell.calls()
  expect(first).toBe(`-cell obtain alice ${IDS.uid}:${IDS.gid} HOME=/home/alice SERVICE=imap REMOTE=192.0.2.7 SESSION=s1 groups=${isRoot ? IDS.gid : first.split('groups=')[1]}`)
  expect([second, third]).toEqual([expect.stringMatching(/^-cell obtain alice .*SERVICE=pop/), expect.stringMatching(new RegExp(`^-cell drop alice ${IDS.uid}:${IDS.gid} HOME=/home/alice SERVICE= `))])
  expect(more).toEqual([])
})
test('sessions of other services go on without one; while they last the token of the account stays', async () => {
  const hook = hookOf({ services: ['imap'] })
  await hook.obtain(login('alice', 'pop'), never)
  expect(await cell.calls()).toEqual([])
  await hook.obtain(login('alice'), never)
  await hook.released('alice')
  expect(await cell.token('alice')).toBe('secret')
  await hook.released('alice')
  expect(await cell.token('alice')).toBeUndefined()
})
test('a login that comes while a token is dropped gets one after that', async () => {
  const hook = hookOf()
  await hook.obtain(login('alice', 'imap', 'old'), never)
  const ended = hook.released('alice')
  await hook.obtain(login('alice', 'imap', 'new'), never)
  await ended
  expect(await cell.token('alice')).toBe('new')
})
test('a program that fails is an outage with its words, and what it may have left is dropped', async () => {
  await expect(hookOf().obtain(login('fail'), never)).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/token ended with code 2: no such principal in the cell$/) })
  expect((await cell.calls()).map((line) => line.split(' ')[1])).toEqual(['obtain', 'drop'])
})
test('a program that hangs is ended, and holds up no other user', async () => {
  const hook = hookOf({ timeoutMs: 1_000 })
  const hanging = hook.obtain(login('hang'), never)
  const settled = Promise.allSettled([hanging])
  await hook.obtain(login('alice'), never)
  expect(await cell.token('alice')).toBe('secret')
  expect(await settled).toMatchObject([{ status: 'rejected', reason: { kind: 'unavailable', message: expect.stringMatching(/no answer within 1000 ms/) } }])
})
test('a program that is missing is an outage', async () => {
  await expect(hookOf({ program: join(folder, 'none') }).obtain(login('alice'), never)).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/cannot be run/) })
})
test.each([
  { user: 'root', own: 0, why: /"root" has no ids/ },
  { user: 'root', own: 1000, why: /"root" has no ids/ },
  { user: 'virtual', own: 0, why: /"virtual" has no ids/ },
  { user: 'nobody', own: 0, why: /no directory has an account "nobody"/ },
])('it never runs as root: $user, by uid $own', async ({ user, own, why }) => {
  await expect(hookOf({}, () => own).obtain(login(user), never)).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(why) })
  expect(await cell.calls()).toEqual([])
})
test('what is left when the server ends is dropped once', async () => {
  const hook = hookOf()
  for (let i = 0; i < 3; i++) await hook.obtain(login('alice'), never)
  await hook[Symbol.asyncDispose]()
  expect(await cell.token('alice')).toBeUndefined()
  expect((await cell.calls()).filter((line) => line.includes(' drop '))).toHaveLength(1)
})

describe('a backend with tokens', () => {
  const inner = (verdict: Verdict): PasswordBackend & AsyncDisposable & { verify: NonNullable<PasswordBackend['verify']>; readonly told: string[] } => {
    const told: string[] = []
    return {
      told,
      verify: () => Promise.resolve(verdict),
      released: (user) => Promise.resolve(void told.push(`released ${user}`)),
      [Symbol.asyncDispose]: () => Promise.resolve(void told.push('disposed')),
    }
  }
  const ask = (b: { verify: NonNullable<PasswordBackend['verify']> }, user: string): Promise<Verdict> => b.verify({ kind: 'password', user, password: words('secret') }, peers.encrypted, never)
  test('asks for one after the password, for the user that the backend names', async () => {
    const b = withToken(inner({ kind: 'accepted', user: 'alice', alerts: ['hello'] }), hookOf())
    expect(await ask(b, 'ALICE')).toEqual({ kind: 'accepted', user: 'alice', alerts: ['hello'] })
    expect(await cell.token('alice')).toBe('secret')
    await b.released?.('alice')
    expect([await cell.token('alice'), b.told]).toEqual([undefined, ['released alice']])
    await b[Symbol.asyncDispose]()
    expect(b.told).toEqual(['released alice', 'disposed'])
  })
  test('a refusal gets none', async () => {
    expect(await ask(withToken(inner({ kind: 'wrong-password' }), hookOf()), 'alice')).toEqual({ kind: 'wrong-password' })
    expect(await cell.calls()).toEqual([])
  })
  test('without a token the backend hears that no session comes of it', async () => {
    const b = withToken(inner({ kind: 'accepted', user: 'fail', alerts: [] }), hookOf())
    await expect(ask(b, 'fail')).rejects.toMatchObject({ kind: 'unavailable' })
    expect(b.told).toEqual(['released fail'])
  })
  test('is as it was where none is wanted', () => {
    const b = inner({ kind: 'wrong-password' })
    expect(withToken(b, undefined)).toBe(b)
  })
})
