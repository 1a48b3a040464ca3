import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { PamBackend, type PamSettings } from '../../../plugins/auth/passwords/pam/backend.js'
import type { PamAnswer, PamQuestion } from '../../../plugins/auth/passwords/pam/calls.js'
import { PamChecks } from '../../../plugins/auth/passwords/pam/checks.js'
import { PAM, type Converse, type Pam } from '../../../plugins/auth/passwords/pam/native.js'
import { linesOf, refusalOf } from '../../../plugins/auth/passwords/pam/verdicts.js'
import { LoggedLines, never, peers, words } from '../../support/auth.js'
import { ANY_ACCOUNT, hasPam, pamSleep, pamTable } from '../../support/pam.js'

const question: PamQuestion = { service: 'imap', folder: undefined, user: 'alice', password: Buffer.from('secret'), remoteHost: '192.0.2.7', credentials: true }
/** A libpam that writes down how it is called, and talks where it is told to. */
function scripted(script: { readonly codes?: Readonly<Record<string, number>>; readonly says?: Readonly<Record<string, Parameters<Converse>[0]>>; readonly user?: string } = {}): Pam & { readonly calls: string[] } {
  const calls: string[] = []
  const step = (name: string, converse?: Converse): number => {
    const said = script.says?.[name]
    const answers = said === undefined ? [] : converse?.(said)
    calls.push(said === undefined ? name : `${name}: ${answers === undefined ? 'no conversation' : answers.map((octets) => (octets === undefined ? '-' : Buffer.from(octets).toString())).join(',')}`)
    return answers === undefined ? PAM.conversationError : (script.codes?.[name] ?? PAM.success)
  }
  return {
    calls,
    start: (service, user) => ({ code: step(`start ${service} ${user}`), handle: 7n }),
    setRemoteHost: (_handle, host) => step(`host ${host}`),
    authenticate: (_handle, converse) => step('authenticate', converse),
    account: (_handle, converse) => step('account', converse),
    credentials: (_handle, what, converse) => step(what, converse),
    userOf: () => script.user,
    words: (_handle, code) => `code ${code}`,
    end: (_handle, code) => void calls.push(`end ${code}`),
  }
}

describe('the sequence of a login', () => {
  test('authentication, account and credentials in this order; they are deleted when the session ends', () => {
    const pam = scripted({ user: 'Alice' })
    const { calls } = new PamChecks(pam)
    expect(calls.check(question)).toEqual({ step: 'done', code: 0, words: 'code 0', messages: [], user: 'Alice', handle: 1 })
    calls.release(1)
    calls.release(1)
    expect(pam.calls).toEqual(['start imap alice', 'host 192.0.2.7', 'authenticate', 'account', 'establish', 'delete', 'end 0'])
  })
  test('without credentials nothing is kept', () => {
    const pam = scripted()
    expect(new PamChecks(pam).calls.check({ ...question, credentials: false })).toMatchObject({ step: 'done', handle: undefined, user: 'alice' })
    expect(pam.calls.slice(-2)).toEqual(['account', 'end 0'])
  })
  test.each([
    { step: 'authenticate', code: 7, calls: ['authenticate', 'end 7'] },
    { step: 'account', code: 13, calls: ['authenticate', 'account', 'end 13'] },
    { step: 'credentials', code: 16, calls: ['authenticate', 'account', 'establish', 'end 16'] },
  ])('stops at $step', ({ step, code, calls }) => {
    const pam = scripted({ codes: { [step === 'credentials' ? 'establish' : step]: code } })
    expect(new PamChecks(pam).calls.check(question)).toMatchObject({ step, code, handle: undefined })
    expect(pam.calls.slice(2)).toEqual(calls)
  })
  test('what hides its echo gets the password, what shows it the name; notices are kept; anything else has no conversation', () => {
    const says = { authenticate: [{ style: 2, text: 'login: ' }, { style: 4, text: 'Welcome' }, { style: 1, text: 'Password: ' }, { style: 3, text: 'Careful' }] }
    const pam = scripted({ says })
    expect(new PamChecks(pam).calls.check(question).messages).toEqual(['Welcome', 'Careful'])
    expect(pam.calls).toContain('authenticate: alice,-,secret,-')
    const binary = scripted({ says: { account: [{ style: 7, text: '' }] } })
    expect(new PamChecks(binary).calls.check(question)).toMatchObject({ step: 'account', code: PAM.conversationError })
  })
  test('credentials that are not deleted are told', () => {
    const pam = scripted({ codes: { delete: 17 } })
    const { calls } = new PamChecks(pam)
    const { handle = 0 } = calls.check(question)
    expect(() => calls.release(handle)).toThrow('credentials are not deleted: code 17')
    expect(pam.calls.at(-1)).toBe('end 17')
  })
})

const meanings: readonly (Pick<PamAnswer, 'step' | 'code'> & { readonly means: ReturnType<typeof refusalOf> })[] = [
  { step: 'authenticate', code: 7, means: { kind: 'wrong-password' } },
  { step: 'authenticate', code: 11, means: { kind: 'wrong-password' } },
  { step: 'authenticate', code: 10, means: { kind: 'unknown-user' } },
  { step: 'authenticate', code: 6, means: { kind: 'not-permitted' } },
  { step: 'account', code: 7, means: { kind: 'not-permitted' } },
  { step: 'account', code: 10, means: { kind: 'unknown-user', final: true } },
  { step: 'account', code: 12, means: { kind: 'must-change' } },
  { step: 'account', code: 13, means: { kind: 'expired' } },
  { step: 'credentials', code: 16, means: { kind: 'expired' } },
  // PAM itself: system error, information unavailable, no conversation, abort, an unknown module, a code of tomorrow.
  ...[4, 9, 19, 26, 28, 99].map((code) => ({ step: 'authenticate' as const, code, means: undefined })),
  { step: 'credentials', code: 17, means: undefined },
  { step: 'start', code: 6, means: undefined },
]
test.each(meanings)('code $code of $step', ({ step, code, means }) => {
  expect(refusalOf({ step, code })).toEqual(means)
})
test('what modules say becomes a few lines that fit a response', () => {
  expect(linesOf(['  Warning: your\x07password will expire in 3 days\r\n\r\n* OK [ALERT] forged', '', 'x'.repeat(300), 'a', 'b'])).toEqual([
    'Warning: your password will expire in 3 days', '* OK [ALERT] forged', 'x'.repeat(200), 'a',
  ])
})

describe.skipIf(!hasPam)('with the PAM of this machine', () => {
  let folder = ''
  const made: PamBackend[] = []
  const log = new LoggedLines()
  const backend = (settings: Partial<PamSettings> = {}): PamBackend => {
    const all: PamSettings = { service: undefined, folder: join(folder, 'pam.d'), credentials: true, timeoutMs: 20_000, parallel: 4, fallthrough: false, ...settings }
    const one = new PamBackend(all, { logger: log, clock: systemClock }, new URL('../../../dist/plugins/auth/passwords/pam/child.js', import.meta.url))
    made.push(one)
    return one
  }
  const ask = (b: PamBackend, password: string, service = 'imap'): ReturnType<PamBackend['verify']> => b.verify({ kind: 'password', user: 'alice', password: words(password) }, { ...peers.encrypted, service }, never)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-pam-'))
    const rules = join(folder, 'pam.d')
    await mkdir(rules)
    const alice = await pamTable(folder, 'imap', [{ name: 'alice', password: 'secret' }])
    await writeFile(join(folder, 'hello'), 'Hello %u, you come from %H by %s')
    const files: Readonly<Record<string, string>> = {
      imap: `${alice}${ANY_ACCOUNT}`,
      pop: `${await pamTable(folder, 'pop', [{ name: 'alice', password: 'other' }])}${ANY_ACCOUNT}`,
      hello: `${alice}account optional pam_echo.so file=${join(folder, 'hello')}\n${ANY_ACCOUNT}`,
      expired: `${alice}account required pam_debug.so acct=acct_expired\n`,
      change: `${alice}account required pam_debug.so acct=new_authtok_reqd\n`,
      credentials: `auth optional pam_permit.so\nauth required pam_debug.so auth=success cred=cred_expired\n${ANY_ACCOUNT}`,
      delay: `auth optional pam_faildelay.so delay=4000000\nauth required pam_deny.so\n`,
      out: `auth required pam_debug.so auth=authinfo_unavail\n`,
      module: 'auth required pam_no_such_module.so\n',
      sleep: await pamSleep(folder, 600),
    }
    for (const [name, text] of Object.entries(files)) await writeFile(join(rules, name), text)
  })
  afterAll(async () => {
    for (const one of made) await one[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  test('the service is that of the protocol, or the one that is set', async () => {
    const b = backend()
    expect([(await ask(b, 'secret')).kind, (await ask(b, 'secret', 'pop')).kind, (await ask(b, 'other', 'pop')).kind]).toEqual(['accepted', 'wrong-password', 'accepted'])
    expect((await ask(backend({ service: 'pop' }), 'other')).kind).toBe('accepted')
  })
  test('what a module says goes to the client after the login; the address of the client is known to it', async () => {
    expect(await ask(backend({ service: 'hello' }), 'secret')).toEqual({ kind: 'accepted', user: 'alice', alerts: ['Hello alice, you come from 192.0.2.7 by hello'] })
  })
  test.each([
    ['expired', 'expired'], ['change', 'must-change'], ['credentials', 'expired'],
  ])('the right password of an account that may not log in: %s', async (service, kind) => {
    expect(await ask(backend({ service }), 'secret')).toEqual({ kind })
    expect(log.lines.at(-1)).toMatch(new RegExp(`^info PAM refuses user=alice service=${service} step=(?:account|credentials) words=`))
  })
  test.each([
    ['out', /PAM service "out", authenticate: /], ['module', /PAM service "module", authenticate: Module is unknown/], ['missing', /PAM service "missing", start: /],
  ])('what PAM cannot answer is an outage: %s', async (service, message) => {
    await expect(ask(backend({ service }), 'secret')).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(message) })
  })
  test('the delay that modules want after a refusal is not taken: the server has one of its own', async () => {
    const b = backend({ service: 'delay' })
    await ask(b, 'x')
    const started = performance.now()
    expect((await ask(b, 'x')).kind).toBe('wrong-password')
    expect(performance.now() - started).toBeLessThan(2_000)
  })
  test('logins that hang end as outages, and hold up nobody else', async () => {
    const [slow, b] = [backend({ service: 'sleep', timeoutMs: 1_000, parallel: 2 }), backend()]
    await ask(b, 'secret')
    const hanging = Array.from({ length: 6 }, () => ask(slow, 'secret'))
    const settled = Promise.allSettled(hanging)
    for (let i = 0; i < 5; i++) expect((await ask(b, 'secret')).kind).toBe('accepted')
    expect((await settled).map((s) => (s.status === 'rejected' ? s.reason : s.value))).toMatchObject(hanging.map(() => ({ kind: 'unavailable' })))
  })
})

test('credentials are deleted once for each login, also of one that nobody waited for, and those that are left when the server ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-pam-'))
  const settings: PamSettings = { service: undefined, folder, credentials: true, timeoutMs: 20_000, parallel: 1, fallthrough: false }
  const backend = new PamBackend(settings, { logger: new LoggedLines(), clock: systemClock }, new URL('../../support/pam-child.mjs', import.meta.url))
  const login = (signal: AbortSignal): ReturnType<PamBackend['verify']> => backend.verify({ kind: 'password', user: 'alice', password: words('secret') }, peers.encrypted, signal)
  const told = async (): Promise<readonly string[]> => (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n').map((line) => line.split(' ')[0] ?? '')
  for (let i = 0; i < 3; i++) await login(never)
  await backend.released('alice')
  await backend.released('bob')
  expect(await told()).toEqual(['establish', 'establish', 'establish', 'delete'])
  await expect(login(AbortSignal.abort())).rejects.toMatchObject({ kind: 'cancelled' })
  await expect.poll(told).toEqual(['establish', 'establish', 'establish', 'delete', 'establish', 'delete'])
  await backend[Symbol.asyncDispose]()
  expect((await told()).filter((call) => call === 'delete')).toHaveLength(4)
  await rm(folder, { recursive: true, force: true })
})
