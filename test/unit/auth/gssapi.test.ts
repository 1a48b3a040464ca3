import type { MechanismAbout, SaslContext, SaslResult } from 'mailwright/api'
import { describeSaslMechanism } from 'mailwright/testing'
import { copyFile, rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryLinkPair } from '../../support/memory-link.js'
import { systemClock } from '../../../core/os/clock.js'
import type { GssCalls, LayerName } from '../../../plugins/auth/mechanisms/gssapi/calls.js'
import { Gssapi } from '../../../plugins/auth/mechanisms/gssapi/gssapi.js'
import { decodeLayer, encodeLayer, GSS_LAYER, GssLayerKind } from '../../../plugins/auth/mechanisms/gssapi/layer.js'
import { loadGss } from '../../../plugins/auth/mechanisms/gssapi/native.js'
import { CallPool } from '../../../plugins/auth/shared/children/call-pool.js'
import { kerberosEnvironment } from '../../../plugins/auth/shared/kerberos.js'
import { LoggedLines, never, peers } from '../../support/auth.js'
import { gssClient, type GssClient, type GssWish } from '../../support/gss-client.js'
import { hasKdc, startKdc, type Kdc } from '../../support/kdc.js'
import { randomOf, seedOf } from '../../support/random.js'

const ALL: readonly LayerName[] = ['none', 'integrity', 'confidentiality']
const about: MechanismAbout = { name: 'GSSAPI', exposesPassword: false, verifiesBy: [], worksWith: [], offered: () => true }

describe.skipIf(!hasKdc)('GSSAPI against a KDC', () => {
  let kdc: Kdc
  let pool: CallPool<GssCalls>
  const caches: Record<string, string> = {}
  const log = new LoggedLines()
  const poolFor = (keytab: string, more: Readonly<Record<string, string>> = {}): CallPool<GssCalls> =>
    new CallPool<GssCalls>({ name: 'GSSAPI', module: new URL('../../../dist/plugins/auth/mechanisms/gssapi/child.js', import.meta.url), env: kerberosEnvironment({ keytab, configuration: kdc.config }, more) }, { timeoutMs: 20_000, parallel: 2 }, systemClock)
  const mechanism = (layers = ALL, hostname: string | undefined = undefined): Gssapi => new Gssapi({ hostname, layers }, { pool, logger: log, now: () => systemClock.now() })
  beforeAll(async () => {
    kdc = await startKdc({ alice: 'secret', bob: 'secret', 'alice/admin': 'secret' })
    process.env['KRB5_CONFIG'] = kdc.config
    for (const name of ['alice', 'bob', 'alice/admin']) caches[name] = await kdc.ticket(name, 'secret')
    pool = poolFor(kdc.keytab)
  })
  afterAll(async () => {
    await pool?.[Symbol.asyncDispose]()
    await kdc?.[Symbol.asyncDispose]()
  })
  const clientOf = (wish: Partial<GssWish> = {}): GssClient => gssClient({ cache: caches['alice'] ?? '', ...wish })
  /** One exchange with a client that may change what it sends. */
  const exchange = async (m: Gssapi, client: GssClient, bend: (sent: Uint8Array, step: number) => Uint8Array = (sent) => sent, hostName = 'localhost'): Promise<SaslResult> => {
    let step = 0
    const context: Omit<SaslContext, 'verify' | 'lookup'> = { peer: peers.encrypted, hostName, signal: never, initial: bend(client.initial, 0), offers: () => true, ask: (challenge) => Promise.resolve(bend(client.answer(challenge, step), ++step)) }
    const nobody = (): Promise<never> => Promise.reject(new Error('it asks nobody'))
    return m.authenticate({ ...context, verify: nobody, lookup: nobody })
  }

  describeSaslMechanism('gssapi', () => ({
    about,
    create: () => mechanism(ALL, 'localhost'),
    asksNobody: true,
    client: ({ user, authzid }) => gssClient({ cache: caches[user] ?? '', ...(authzid === undefined ? {} : { authzid }) }),
  }))

  test.each([
    { layers: ALL, mask: 7 }, { layers: ['none'] as const, mask: 1 }, { layers: ['integrity', 'confidentiality'] as const, mask: 6 },
  ])('offers the layers $layers', async ({ layers, mask }) => {
    const client = clientOf({ layer: layers[0] ?? 'none' })
    expect((await exchange(mechanism(layers), client)).kind).toBe('proved')
    expect(client.offer).toEqual({ layers: mask, mostOctets: mask === 1 ? 0 : 65_536 })
  })
  test.each([
    { name: 'a layer that was not offered', layers: ['none'] as const, layer: 'confidentiality' as const },
    { name: 'two layers', choice: (right: Uint8Array) => Uint8Array.of(3, ...right.subarray(1)) },
    { name: 'no layer at all', choice: (right: Uint8Array) => Uint8Array.of(0, ...right.subarray(1)) },
    { name: 'a layer and no octets', layer: 'integrity' as const, choice: () => Uint8Array.of(2, 0, 0, 0) },
    { name: 'three octets', choice: (right: Uint8Array) => right.subarray(0, 3) },
    { name: 'a NUL in the identity', authzid: 'alice\0bob' },
    { name: 'an identity that is no UTF-8', choice: (right: Uint8Array) => Uint8Array.of(...right, 0xff) },
    { name: 'an identity longer than any', authzid: 'a'.repeat(300) },
  ])('refuses $name', async ({ layers = ALL, layer, choice, authzid }) => {
    const wish = { ...(layer === undefined ? {} : { layer }), ...(choice === undefined ? {} : { choice }), ...(authzid === undefined ? {} : { authzid }) }
    expect(await exchange(mechanism(layers), clientOf(wish))).toEqual({ kind: 'malformed' })
  })
  test('an identity that is empty, or its own, is its own; another is handed on', async () => {
    const proved = async (authzid: string): Promise<unknown> => exchange(mechanism(), clientOf({ authzid }))
    expect(await proved('')).toMatchObject({ authcid: 'alice', authzid: '' })
    expect(await proved('alice')).toMatchObject({ authcid: 'alice', authzid: '' })
    expect(await proved('bob')).toMatchObject({ authcid: 'alice', authzid: 'bob' })
  })
  test('a client that does not want to know the server gets the offer at once', async () => {
    expect(await exchange(mechanism(), clientOf({ mutual: false }))).toMatchObject({ kind: 'proved', authcid: 'alice' })
  })
  test('a client that says something where it has nothing to say is refused', async () => {
    expect(await exchange(mechanism(), clientOf(), (sent, step) => (step === 1 ? Buffer.from('x') : sent))).toEqual({ kind: 'malformed' })
  })
  test('a principal without a local name is nobody here', async () => {
    expect(await exchange(mechanism(), clientOf({ cache: caches['alice/admin'] ?? '' }))).toEqual({ kind: 'unknown-user' })
    expect(log.lines.at(-1)).toContain('principal=alice/admin@EXAMPLE.TEST why=the rules of Kerberos give it no local name')
  })
  test('a ticket for another service proves nothing, unless every key will do', async () => {
    const refused = await exchange(mechanism(), clientOf({ service: 'pop@localhost' }))
    expect(refused).toEqual({ kind: 'wrong-password' })
    expect(await exchange(mechanism(ALL, '*'), clientOf())).toMatchObject({ kind: 'proved' })
    expect(await exchange(mechanism(ALL, '*'), clientOf({ service: 'pop@localhost' }))).toEqual({ kind: 'wrong-password' })
  })
  test('a service without a key is an outage, which the log tells by its name', async () => {
    await expect(exchange(mechanism(ALL, 'elsewhere.example.org'), clientOf())).rejects.toMatchObject({ kind: 'unavailable' })
    expect(log.lines.at(-1)).toMatch(/^warn Failed to acquire credentials for imap@elsewhere\.example\.org why=/)
  })
  test('the service is that of the protocol at the name of the virtual host', async () => {
    await expect(exchange(mechanism(), clientOf(), undefined, 'second.example.org')).rejects.toThrow('there are no credentials for imap@second.example.org')
    await kdc.admin('addprinc -randkey imap/third.example.org')
    await kdc.admin(`ktadd -k ${kdc.keytab} imap/third.example.org`)
    const client = clientOf({ service: 'imap@third.example.org' })
    expect(await exchange(mechanism(), client, undefined, 'third.example.org')).toMatchObject({ kind: 'proved', authcid: 'alice' })
  })
  test('what is wrong with this machine is an outage, and no word about the client', async () => {
    const copy = `${kdc.folder}/copy.keytab`
    await copyFile(kdc.keytab, copy)
    const [noCache, noKeys] = [poolFor(kdc.keytab, { KRB5RCACHENAME: 'file2:/nonexistent/cache' }), poolFor(copy)]
    const of = (own: CallPool<GssCalls>): Gssapi => new Gssapi({ hostname: undefined, layers: ALL }, { pool: own, logger: log, now: () => 0 })
    await expect(exchange(of(noCache), clientOf())).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/nonexistent/) })
    expect(await exchange(of(noKeys), clientOf())).toMatchObject({ kind: 'proved' })
    await rm(copy)
    await expect(exchange(of(noKeys), clientOf())).rejects.toMatchObject({ kind: 'unavailable' })
    for (const own of [noCache, noKeys]) await own[Symbol.asyncDispose]()
  })
  test('tokens that are damaged at random end as refusals, and never the process that reads them', async () => {
    const seed = seedOf('unit/auth/gssapi')
    const random = randomOf(seed)
    const below = (n: number): number => Math.floor(random() * n)
    await exchange(mechanism(), clientOf())
    const before = [...pool.pids].sort()
    for (let i = 0; i < 300; i++) {
      const damaged = Uint8Array.from(clientOf().initial)
      for (let n = 0; n < 1 + below(4); n++) damaged[below(damaged.length)] = below(256)
      const cut = below(4) === 0 ? damaged.subarray(0, below(damaged.length)) : damaged
      const answer = cut.length === 0 ? { kind: 'malformed' } : await pool.call('accept', { name: 'imap@localhost', token: cut, layers: ALL }, never)
      expect(['malformed', 'refused', 'accepted'], `seed ${seed}, round ${i}: ${JSON.stringify(answer).slice(0, 300)}`).toContain(answer.kind)
    }
    expect([...pool.pids].sort(), `seed ${seed}`).toEqual(before)
  })
  test('it is ready when there are keys', async () => {
    expect(await mechanism().ready()).toBe(true)
    const none = poolFor(`${kdc.folder}/no-such-keytab`)
    const without = new Gssapi({ hostname: undefined, layers: ALL }, { pool: none, logger: log, now: () => 0 })
    expect([await without.ready(), await without.ready()]).toEqual([false, false])
    expect(log.lines.filter((line) => line.includes('GSSAPI is not offered'))).toHaveLength(1)
    await none[Symbol.asyncDispose]()
  })
  test('clients that do not answer occupy nobody', async () => {
    const silent: { readonly asked: Promise<void>; readonly leave: () => void; readonly over: Promise<SaslResult> }[] = []
    for (let i = 0; i < 8; i++) {
      const client = clientOf()
      let leave = (): void => undefined
      let over: Promise<SaslResult> | undefined
      const asked = new Promise<void>((resolve) => {
        const ask = (): Promise<Uint8Array> => {
          resolve()
          return new Promise((_resolve, reject) => (leave = () => reject(new Error('gone'))))
        }
        const nobody = (): Promise<never> => Promise.reject(new Error('it asks nobody'))
        over = mechanism().authenticate({ peer: peers.encrypted, hostName: 'localhost', signal: never, initial: client.initial, offers: () => true, ask, verify: nobody, lookup: nobody })
      })
      if (over !== undefined) silent.push({ asked, leave: () => leave(), over })
    }
    await Promise.all(silent.map(({ asked }) => asked))
    expect(await exchange(mechanism(), clientOf())).toMatchObject({ kind: 'proved' })
    for (const { leave } of silent) leave()
    expect((await Promise.allSettled(silent.map(({ over }) => over))).map(({ status }) => status)).toEqual(silent.map(() => 'rejected'))
  })

  describe('a security layer', () => {
    const opened = async (layer: 'integrity' | 'confidentiality'): Promise<{ readonly client: GssClient; readonly state: Uint8Array }> => {
      const client = clientOf({ layer })
      const result = await exchange(mechanism(), client)
      if (result.kind !== 'proved' || result.layer === undefined) throw new Error('no layer')
      expect(result.layer.use).toBe(GSS_LAYER)
      return { client, state: result.layer.state }
    }
    const framed = (token: Uint8Array): Buffer => {
      const out = Buffer.alloc(4 + token.length)
      out.writeUInt32BE(token.length)
      out.set(token, 4)
      return out
    }
    /** A link on which a session runs under the layer, and the other end as it is on the wire. */
    const linked = async (layer: 'integrity' | 'confidentiality'): Promise<{ readonly client: GssClient; readonly server: ReturnType<typeof memoryLinkPair>['server']; readonly wire: ReturnType<typeof memoryLinkPair>['client'] }> => {
      const { client, state } = await opened(layer)
      const kind = new GssLayerKind(await loadGss())
      const { server, client: wire } = memoryLinkPair({ layers: (use) => (use === GSS_LAYER ? kind : undefined) })
      await server.wrap({ use: GSS_LAYER, state })
      return { client, server, wire }
    }
    const text = (octets: Uint8Array | undefined): string => Buffer.from(octets ?? []).toString()

    test.each(['integrity', 'confidentiality'] as const)('%s: both ways, in pieces of one octet, in tokens of the size that the client takes', async (layer) => {
      const { client, server, wire } = await linked(layer)
      const sent = framed(client.wrap(Buffer.from('a NOOP\r\n'), layer === 'confidentiality'))
      for (const octet of sent) wire.write(Uint8Array.of(octet))
      expect(text(await server.read())).toBe('a NOOP\r\n')
      const long = 'line of text\r\n'.repeat(1_000)
      server.write(Buffer.from(long.slice(0, 5)))
      server.write(Buffer.from(long.slice(5)))
      let got = Buffer.alloc(0)
      let plain = ''
      while (plain.length < long.length) {
        got = Buffer.concat([got, (await wire.read()) ?? Buffer.alloc(0)])
        while (got.length >= 4 && got.length >= 4 + got.readUInt32BE()) {
          const length = got.readUInt32BE()
          expect(length).toBeLessThanOrEqual(4096)
          plain += text(client.unwrap(got.subarray(4, 4 + length)))
          got = got.subarray(4 + length)
        }
      }
      expect(plain).toBe(long)
      await server.close()
    })
    test.each([
      { name: 'a token that was changed', send: (client: GssClient) => framed(client.wrap(Buffer.from('a NOOP\r\n'), true).map((octet, i) => (i === 40 ? octet ^ 1 : octet))) },
      { name: 'a token in clear', send: (client: GssClient) => framed(client.wrap(Buffer.from('a NOOP\r\n'), false)) },
      { name: 'words in clear', send: () => Buffer.from('a NOOP\r\n') },
      { name: 'a token of no octets', send: () => Buffer.alloc(4) },
      { name: 'a token one octet too long', send: () => Buffer.from([0, 1, 0, 1]) },
      {
        name: 'a token that comes twice',
        send: (client: GssClient) => {
          const token = framed(client.wrap(Buffer.from('a NOOP\r\n'), true))
          return Buffer.concat([token, token])
        },
      },
    ])('$name ends the link, and nothing of it is read', async ({ send }) => {
      const { client, server, wire } = await linked('confidentiality')
      wire.write(send(client))
      await expect(server.read()).rejects.toThrow('the octets do not fit the transport layer')
    })
    test('its state is bytes', () => {
      const state = { layer: 'integrity', mostOctets: 4_000_000, context: Uint8Array.of(1, 2, 3) } as const
      const { layer, mostOctets, context } = decodeLayer(encodeLayer(state))
      expect({ layer, mostOctets, context: Uint8Array.from(context) }).toEqual(state)
    })
  })
})

test('an outage of the library is one of the login', async () => {
  const broken: Pick<CallPool<GssCalls>, 'call'> = { call: () => Promise.reject(new Error('crashed')) }
  const x = { peer: peers.encrypted, hostName: 'localhost', signal: never, initial: Uint8Array.of(1) }
  await expect(new Gssapi({ hostname: undefined, layers: ALL }, { pool: broken, logger: new LoggedLines(), now: () => 0 }).authenticate(x as unknown as SaslContext)).rejects.toThrow('crashed')
})
test('the environment of Kerberos is that of the server, unless the configuration says otherwise', () => {
  const env = { KRB5_CONFIG: '/a', KRB5_KTNAME: '/b', HOME: '/root', PASSWORD: 'x' }
  expect(kerberosEnvironment({ keytab: undefined, configuration: undefined }, env)).toEqual({ KRB5_CONFIG: '/a', KRB5_KTNAME: '/b' })
  expect(kerberosEnvironment({ keytab: '/k', configuration: '/c' }, env)).toEqual({ KRB5_CONFIG: '/c', KRB5_KTNAME: 'FILE:/k' })
})
