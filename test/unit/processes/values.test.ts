import { describe, expect, test } from 'vitest'
import type { LoginOutcome, PeerFacts } from '../../../core/api/index.js'
import { environmentFor } from '../../../core/main/processes/environment.js'
import { decodeHalf, decodeLogin, decodeOutcome, decodePeer, encodeHalf, encodeOutcome, encodePeer } from '../../../core/processes/values.js'

const peer: PeerFacts = {
  session: 's1', address: '192.0.2.1', localAddress: '192.0.2.2', localPort: 993, service: 'imap',
  tls: { serverName: 'mail.example.org', protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', clientCertificate: Uint8Array.of(1, 2), bindings: { 'tls-exporter': Uint8Array.of(255, 0) } },
}
const login: Extract<LoginOutcome, { kind: 'in' }> = {
  kind: 'in', authcid: 'admin', alerts: ['soon'], layer: { use: 'gss-wrap', state: Uint8Array.of(7) },
  user: { name: 'alice', kind: 'account', ids: { uid: 1000, gid: 1000, groups: [4, 24] }, home: '/home/alice', facts: { shell: '/bin/sh' } },
}
/** As the channel carries it. */
const crossed = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('what crosses between processes comes out as it went in', () => {
  test('peers', () => expect(decodePeer(crossed(encodePeer(peer)))).toEqual(peer))
  test('logins', () => expect(decodeOutcome(crossed(encodeOutcome(login)))).toEqual(login))
  test('refusals', () => expect(decodeOutcome(crossed(encodeOutcome({ kind: 'out', referral: 'imap://b/' })))).toEqual({ kind: 'out', referral: 'imap://b/' }))
  test('the half of a session', () => {
    const half = { peer, client: { address: '192.0.2.1', id: new Map([['name', 'x']]), commands: ['NOOP'] }, unread: Buffer.from('a NOOP\r\n'), slots: new Map([['id', Uint8Array.of(1)]]) }
    expect(decodeHalf(crossed(encodeHalf(half)))).toEqual({ ...half, unread: new Uint8Array(half.unread) })
  })
})

test.each([
  ['a user without a name', { kind: 'in', user: { kind: 'account', facts: {} }, authcid: 'a', alerts: [] }],
  ['ids that are no numbers', { kind: 'in', user: { name: 'a', kind: 'account', facts: {}, ids: { uid: '0', gid: 0, groups: [] } }, authcid: 'a', alerts: [] }],
  ['a negative id', { kind: 'in', user: { name: 'a', kind: 'account', facts: {}, ids: { uid: -1, gid: 0, groups: [] } }, authcid: 'a', alerts: [] }],
  ['members that nobody knows', { kind: 'in', user: { name: 'a', kind: 'account', facts: {}, root: true }, authcid: 'a', alerts: [] }],
  ['a refusal', { kind: 'out' }],
])('%s admits nobody', (_name, wire) => expect(() => decodeLogin(wire)).toThrow(/Invalid|Unrecognized|expected/i))

const said = [{ log: [{ use: 'x', key: { env: 'LOG_KEY' } }] }, { auth: { passwords: [{ use: 'ldap', password: { env: 'LDAP_PW' } }] }, tls: { key: { env: 'TLS_KEY' } } }]
const env = { PATH: '/bin', LDAP_PW: 'a', TLS_KEY: 'b', LOG_KEY: 'c', UV_USE_IO_URING: '1', NOTIFY_SOCKET: '/n' }
test.each([
  ['front', ['LOG_KEY', 'PATH', 'TLS_KEY']],
  ['auth', ['LDAP_PW', 'LOG_KEY', 'PATH']],
  ['mail', ['LOG_KEY', 'PATH']],
] as const)('the environment of %s has the secrets of its own sections', (role, expected) => {
  expect(Object.keys(environmentFor(role, said, env)).toSorted()).toEqual(expected)
})
