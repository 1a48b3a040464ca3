import { createHmac } from 'node:crypto'
import { PASSWORD, SCRAM_SHA_1, SCRAM_SHA_256, type BackendAbout, type MechanismAbout, type PasswordBackend, type PeerFacts, type SaslMechanism } from 'mailwright/api'
import { describe, expect, test } from 'vitest'
import { hasBinding, Scram, SCRAM_VARIANTS } from '../../../plugins/auth/mechanisms/scram/scram.js'
import { saslprep } from '../../../core/wire/sasl/saslprep.js'
import { formatScram, parseScram, scramKeys } from '../../../plugins/auth/shared/scram-keys.js'
import { aboutClear, clearBackend, entry, gateFor, held, never, octets, peers } from '../../support/auth.js'
import { scramClient, type ScramClient } from '../../support/sasl-clients.js'

const exporter = Uint8Array.from({ length: 32 }, (_, i) => i)
const endPoint = new Uint8Array(32).fill(7)
const bound: PeerFacts = { ...peers.encrypted, tls: { protocol: 'TLSv1.3', cipher: 'x', bindings: { 'tls-exporter': exporter, 'tls-server-end-point': endPoint, 'tls-unique': endPoint } } }
let drawn = 0
const random = (n: number): Uint8Array => new Uint8Array(n).fill(++drawn)
const mechanisms = SCRAM_VARIANTS.map((variant) =>
  entry<SaslMechanism, MechanismAbout>(variant.name.toLowerCase(), new Scram(variant, { random, iterations: 4096 }), {
    name: variant.name, exposesPassword: false, verifiesBy: [], worksWith: [variant.kind, PASSWORD], offered: (peer) => !variant.plus || hasBinding(peer),
  }),
)

/** Runs one login; the outcome is who came in, or the reason in the log, and whether the server proved itself. */
async function login(client: ScramClient, how: { mechanism?: string; peer?: PeerFacts; backend?: PasswordBackend; about?: BackendAbout; mechanisms?: typeof mechanisms; initial?: boolean } = {}): Promise<unknown> {
  const { gate, clock, log } = gateFor({ mechanisms: how.mechanisms ?? mechanisms, backends: [how.backend ?? clearBackend({ user: 'pencil', 'a,b=c': 'pencil', 'IX': 'IX' })], about: how.about ?? aboutClear })
  const c = scramClient(client)
  let proved: string | undefined
  let said = ''
  const ask = (challenge: Uint8Array): Promise<Uint8Array> => {
    const text = Buffer.from(challenge).toString()
    if (text === '') return Promise.resolve(octets(c.first))
    if (text.startsWith('v=')) {
      said = text
      return Promise.resolve(new Uint8Array(0))
    }
    const final = c.final(text)
    proved = final.serverSays
    return Promise.resolve(octets(final.text))
  }
  const { value } = await held(clock, gate.sasl(how.mechanism ?? 'SCRAM-SHA-256', how.initial === false ? undefined : octets(c.first), ask, how.peer ?? peers.clear, never))
  if (value.kind === 'out') return /reason=(\S+)/.exec(log.lines.join('\n'))?.[1]
  return { user: value.authcid, serverProved: said === proved }
}

describe('keys', () => {
  test.each([
    { name: 'RFC 5802 §5', hash: 'sha1' as const, salt: 'QSXCR+Q6sek8bf92', message: 'n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j', server: 'rmF9pqV8S7suAoZWja4dJRkFsKQ=' },
    { name: 'RFC 7677 §3', hash: 'sha256' as const, salt: 'W22ZaJ0SNY7soEsUEjb6gQ==', message: 'n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0', server: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=' },
  ])('the example of $name', async ({ hash, salt, message, server }) => {
    const keys = await scramKeys(hash, octets('pencil'), 4096, Buffer.from(salt, 'base64'))
    expect(createHmac(hash, keys.serverKey).update(message).digest('base64')).toBe(server)
    expect(parseScram(formatScram(hash, keys))).toEqual({ hash, keys })
  })

  test.each([
    { name: 'soft hyphen', text: 'I\u00ADX', expected: 'IX' },
    { name: 'case stays', text: 'USER', expected: 'USER' },
    { name: 'feminine ordinal', text: '\u00AA', expected: 'a' },
    { name: 'roman nine', text: '\u2168', expected: 'IX' },
    { name: 'a control character', text: '\u0007', expected: undefined },
    { name: 'mixed direction', text: '\u0627\u0031', expected: undefined },
    { name: 'other space', text: 'a\u00A0b', expected: 'a b' },
  ])('SASLprep (RFC 4013 §3): $name', ({ text, expected }) => expect(saslprep(text)).toBe(expected))
})

describe('SCRAM (RFC 5802)', () => {
  const right = { user: 'user', password: 'pencil' }
  const inAs = (user: string): unknown => ({ user, serverProved: true })
  test.each<{ name: string; client: ScramClient; how?: Parameters<typeof login>[1]; expected: unknown }>([
    { name: 'SHA-256', client: right, expected: inAs('user') },
    { name: 'SHA-1', client: { ...right, hash: 'sha1' }, how: { mechanism: 'SCRAM-SHA-1' }, expected: inAs('user') },
    { name: 'without initial response', client: right, how: { initial: false }, expected: inAs('user') },
    { name: 'a name with comma and equals sign', client: { ...right, user: 'a,b=c' }, expected: inAs('a,b=c') },
    { name: 'a name that SASLprep changes', client: { user: '\u2168', password: '\u2168' }, expected: inAs('IX') },
    { name: 'authzid that repeats the name', client: { ...right, gs2: 'n,a=user,' }, expected: inAs('user') },
    { name: 'authzid of somebody else', client: { ...right, gs2: 'n,a=root,' }, expected: 'not-permitted' },
    { name: 'PLUS with tls-exporter', client: { ...right, gs2: 'p=tls-exporter,,', channel: exporter }, how: { mechanism: 'SCRAM-SHA-256-PLUS', peer: bound }, expected: inAs('user') },
    { name: 'PLUS with tls-server-end-point', client: { ...right, gs2: 'p=tls-server-end-point,,', channel: endPoint, hash: 'sha1' }, how: { mechanism: 'SCRAM-SHA-1-PLUS', peer: bound }, expected: inAs('user') },
    { name: 'wrong password', client: { ...right, password: 'pen' }, expected: 'wrong-password' },
    { name: 'unknown user', client: { ...right, user: 'nobody' }, expected: 'unknown-user' },
    { name: 'PLUS bound to another channel', client: { ...right, gs2: 'p=tls-exporter,,', channel: endPoint }, how: { mechanism: 'SCRAM-SHA-256-PLUS', peer: bound }, expected: 'malformed' },
    { name: 'PLUS bound to nothing', client: { ...right, gs2: 'p=tls-exporter,,' }, how: { mechanism: 'SCRAM-SHA-256-PLUS', peer: bound }, expected: 'malformed' },
    { name: 'PLUS without binding', client: right, how: { mechanism: 'SCRAM-SHA-256-PLUS', peer: bound }, expected: 'malformed' },
    { name: 'a binding without PLUS', client: { ...right, gs2: 'p=tls-exporter,,', channel: exporter }, how: { peer: bound }, expected: 'malformed' },
    { name: 'tls-unique, which binds nothing for sure', client: { ...right, gs2: 'p=tls-unique,,', channel: endPoint }, how: { mechanism: 'SCRAM-SHA-256-PLUS', peer: bound }, expected: 'malformed' },
    { name: 'downgrade: the client can bind and was not offered to', client: { ...right, gs2: 'y,,' }, how: { peer: bound }, expected: 'malformed' },
    { name: 'a client that can bind, where the server cannot', client: { ...right, gs2: 'y,,' }, expected: inAs('user') },
    { name: 'the flag changed in between', client: { ...right, edit: { final: (t) => t.replace('biws', Buffer.from('y,,').toString('base64')) } }, expected: 'malformed' },
    { name: 'a nonce of another exchange (replay)', client: { ...right, edit: { final: (t) => t.replace(/,r=[^,]+/, ',r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j') } }, expected: 'malformed' },
    { name: "only the client's nonce", client: { ...right, edit: { final: (t) => t.replace(/,r=([^,]{16})[^,]*/, ',r=$1') } }, expected: 'malformed' },
    { name: 'truncated proof', client: { ...right, edit: { final: (t) => `${t.slice(0, -8)}=` } }, expected: 'malformed' },
    { name: 'no proof', client: { ...right, edit: { final: (t) => t.replace(/,p=.*/, '') } }, expected: 'malformed' },
    { name: 'an extension behind the proof', client: { ...right, edit: { final: (t) => `${t},x=1` } }, expected: 'malformed' },
    { name: 'mandatory extension', client: { ...right, edit: { first: (t) => t.replace('n=', 'm=x,n=') } }, expected: 'malformed' },
    { name: 'a stray equals sign in the name', client: { ...right, edit: { first: (t) => t.replace('n=user', 'n=us=er') } }, expected: 'malformed' },
    { name: 'an empty name', client: { ...right, edit: { first: (t) => t.replace('n=user', 'n=') } }, expected: 'malformed' },
    { name: 'an unknown flag', client: { ...right, gs2: 'q,,' }, expected: 'malformed' },
    { name: 'an empty nonce', client: { ...right, edit: { first: (t) => t.replace(/r=.*/, 'r=') } }, expected: 'malformed' },
    { name: 'oversize', client: { ...right, edit: { first: (t) => `${t},x=${'a'.repeat(3000)}` } }, expected: 'malformed' },
    { name: 'empty', client: { ...right, edit: { first: () => '' } }, expected: 'malformed' },
    { name: 'a NUL in the name', client: { ...right, edit: { first: (t) => t.replace('user', 'us\0er') } }, expected: 'malformed' },
  ])('$name', async ({ client, how, expected }) => expect(await login(client, how)).toEqual(expected))

  test('keys of a backend serve without the password, each hash for itself', async () => {
    const keys = await scramKeys('sha256', octets('pencil'), 4096)
    const backend: PasswordBackend = { lookup: (user, kind) => Promise.resolve(user === 'user' && kind.id === SCRAM_SHA_256.id ? { user: 'User', value: kind.codec.decode(SCRAM_SHA_256.codec.encode(keys)) } : undefined) }
    const about: BackendAbout = { verifies: [], holds: [SCRAM_SHA_256], changes: false }
    expect(await login(right, { backend, about })).toEqual(inAs('User'))
    await expect(login({ ...right, hash: 'sha1' }, { backend, about, mechanism: 'SCRAM-SHA-1' })).rejects.toMatchObject({ kind: 'unsupported' })
    expect(await login({ ...right, hash: 'sha1' }, { backend, about: { ...about, holds: [SCRAM_SHA_1] }, mechanism: 'SCRAM-SHA-1' })).toBe('unknown-user')
  })

  test('PLUS is offered only where the link can be bound', () => {
    const { gate } = gateFor({ mechanisms, backends: [clearBackend({})], about: aboutClear })
    expect(gate.mechanisms(peers.encrypted)).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-1'])
    expect(gate.mechanisms(bound)).toEqual(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'])
  })

  test('an unknown user gets a salt like anybody, the same every time', async () => {
    const { gate, clock } = gateFor({ mechanisms, backends: [clearBackend({ user: 'pencil' })], about: aboutClear, settings: { maxAttempts: 100 } })
    const salts: string[] = []
    for (const user of ['nobody', 'nobody', 'user', 'user', 'other']) {
      const ask = (challenge: Uint8Array): Promise<Uint8Array> => {
        salts.push(/s=([^,]+),i=4096$/.exec(Buffer.from(challenge).toString())?.[1] ?? 'none')
        return Promise.resolve(octets('c=biws,r=x,p=AAAA'))
      }
      await held(clock, gate.sasl('SCRAM-SHA-256', octets(`n,,n=${user},r=abc`), ask, peers.clear, never))
    }
    expect(salts[0]).toBe(salts[1])
    expect(salts[2]).toBe(salts[3])
    expect(new Set(salts).size).toBe(3)
    expect(new Set(salts.map((s) => s.length))).toEqual(new Set([24]))
  })
})
