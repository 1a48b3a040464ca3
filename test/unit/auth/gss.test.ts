import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { GssBackend, type GssSettings } from '../../../plugins/auth/passwords/gss/backend.js'
import { kerberosEnvironment } from '../../../plugins/auth/shared/kerberos.js'
import { LoggedLines, never, peers, words } from '../../support/auth.js'
import { hasKdc, startKdc, type Kdc } from '../../support/kdc.js'

describe.skipIf(!hasKdc)('passwords checked by a KDC', () => {
  let kdc: Kdc
  /** Plays the KDC of the same realm, with a password of its own for alice. */
  let false_: Kdc
  const made: GssBackend[] = []
  const log = new LoggedLines()
  const backend = (settings: Partial<GssSettings> = {}, where: { readonly keytab?: string; readonly configuration?: string } = {}): GssBackend => {
    const all: GssSettings = { realm: undefined, hostname: 'localhost', serviceInPrincipal: false, timeoutMs: 20_000, parallel: 2, fallthrough: false, ...settings }
    const env = kerberosEnvironment({ keytab: where.keytab ?? kdc.keytab, configuration: where.configuration ?? kdc.config }, {})
    const one = new GssBackend(all, { logger: log, clock: systemClock, env }, new URL('../../../dist/plugins/auth/passwords/gss/child.js', import.meta.url))
    made.push(one)
    return one
  }
  const ask = (b: GssBackend, user: string, password: string, service = 'imap'): ReturnType<GssBackend['verify']> => b.verify({ kind: 'password', user, password: words(password) }, { ...peers.encrypted, service }, never)
  beforeAll(async () => {
    kdc = await startKdc({ alice: 'secret', 'alice/imap': 'of imap', old: 'secret', gone: 'secret', locked: 'secret' })
    false_ = await startKdc({ alice: 'of the false one' })
    await kdc.admin('modprinc -pwexpire "1 day ago" old')
    await kdc.admin('modprinc -expire "1 day ago" gone')
    await kdc.admin('modprinc -allow_tix locked')
  })
  afterAll(async () => {
    for (const one of made) await one[Symbol.asyncDispose]()
    await false_?.[Symbol.asyncDispose]()
    await kdc?.[Symbol.asyncDispose]()
  })

  test.each([
    ['alice', 'secret', { kind: 'accepted', user: 'alice', alerts: [] }],
    ['alice', 'wrong', { kind: 'wrong-password' }],
    ['nobody', 'secret', { kind: 'unknown-user' }],
    ['old', 'secret', { kind: 'must-change' }],
    ['gone', 'secret', { kind: 'expired' }],
    ['locked', 'secret', { kind: 'disabled' }],
    ['alice/imap', 'of imap', { kind: 'unknown-user' }],
    ['alice@EXAMPLE.TEST', 'secret', { kind: 'unknown-user' }],
    ['alice\\@EXAMPLE.TEST', 'secret', { kind: 'unknown-user' }],
  ])('%s with %s', async (user, password, verdict) => {
    expect(await ask(backend(), user, password)).toEqual(verdict)
  })
  test('principals with the service in their name', async () => {
    const b = backend({ serviceInPrincipal: true })
    expect([await ask(b, 'alice', 'of imap'), await ask(b, 'alice', 'secret')]).toEqual([{ kind: 'accepted', user: 'alice', alerts: [] }, { kind: 'wrong-password' }])
  })
  test('each protocol proves the KDC by the key of its own service', async () => {
    expect(await ask(backend(), 'alice', 'secret', 'pop')).toMatchObject({ kind: 'accepted' })
    await expect(ask(backend(), 'alice', 'secret', 'sieve')).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/the KDC cannot be verified by sieve\/localhost/) })
  })
  test('whoever plays the KDC lets nobody in: neither with its own password nor with the right one', async () => {
    const b = backend({}, { configuration: false_.config })
    await expect(ask(b, 'alice', 'of the false one')).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/the KDC cannot be verified by imap\/localhost/) })
    expect(await ask(b, 'alice', 'secret')).toEqual({ kind: 'wrong-password' })
  })
  test.each([
    ['without a key table', { keytab: '/nonexistent/keytab' }],
    ['with keys for other services', { keytab: 'POP' }],
  ])('nobody is let in %s', async (_name, where) => {
    const other = `${kdc.folder}/other.keytab`
    await kdc.admin('addprinc -randkey smtp/localhost')
    await kdc.admin(`ktadd -k ${other} smtp/localhost`)
    await expect(ask(backend({}, { keytab: where.keytab === 'POP' ? other : where.keytab }), 'alice', 'secret')).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/the KDC cannot be verified/) })
  })
  test('a realm that nobody knows is an outage', async () => {
    await expect(ask(backend({ realm: 'NOWHERE.TEST' }), 'alice', 'secret')).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/realm/i) })
    expect(await ask(backend({ realm: 'EXAMPLE.TEST' }), 'alice', 'secret')).toMatchObject({ kind: 'accepted' })
  })
})
