import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { Oauth2Backend, type Oauth2Settings, type TokenCheck } from '../../../plugins/auth/passwords/oauth2/backend.js'
import { introspect } from '../../../plugins/auth/passwords/oauth2/introspection.js'
import { jwtCheck } from '../../../plugins/auth/passwords/oauth2/jwt.js'
import { never, peers, words } from '../../support/auth.js'

const settings: Oauth2Settings = { issuer: 'https://id.example.org', audience: ['mail'], userClaim: 'email', scope: 'imap', timeoutMs: 60_000, parallel: 4, fallthrough: false }
const verify = (check: TokenCheck, token: string, more: Partial<Oauth2Settings> = {}): Promise<unknown> => new Oauth2Backend(check, { ...settings, ...more }, systemClock).verify({ kind: 'token', user: '', token: words(token) }, peers.encrypted, never)
const accepted = { kind: 'accepted', user: 'alice@example.org', alerts: [] }
let server: Server
let url = ''
let answer: (path: string, body: string, authorization: string | undefined) => { readonly status: number; readonly text: string }
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const { status, text } = answer(request.url ?? '', body, request.headers.authorization)
      response.writeHead(status, { 'content-type': 'application/json' }).end(text)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const keys = await generateKeyPair('RS256')
const other = await generateKeyPair('RS256')
const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256' }] }
const claims: JWTPayload = { iss: 'https://id.example.org', aud: 'mail', email: 'alice@example.org', scope: 'openid imap', exp: Math.floor(Date.now() / 1000) + 3600 }
const signed = (more: JWTPayload, key = keys.privateKey, header = {}): Promise<string> => new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header }).sign(key)
const now = Math.floor(Date.now() / 1000)

describe('signed tokens (RFC 7519)', () => {
  test.each<{ name: string; more?: JWTPayload; expected: unknown; with?: Partial<Oauth2Settings> }>([
    { name: 'as it should be', expected: accepted },
    { name: 'for several services', more: { aud: ['other', 'mail'] }, expected: accepted },
    { name: 'another claim as the name', more: { preferred_username: 'alice@example.org', email: 'x' }, with: { userClaim: 'preferred_username' }, expected: accepted },
    { name: 'expired', more: { exp: now - 3600 }, expected: { kind: 'expired' } },
    { name: 'without an end', more: { exp: undefined as unknown as number }, expected: { kind: 'wrong-password' } },
    { name: 'not yet valid', more: { nbf: now + 3600 }, expected: { kind: 'wrong-password' } },
    { name: 'of another issuer', more: { iss: 'https://evil.example' }, expected: { kind: 'not-permitted' } },
    { name: 'for another service', more: { aud: 'calendar' }, expected: { kind: 'not-permitted' } },
    { name: 'without the scope', more: { scope: 'openid' }, expected: { kind: 'not-permitted' } },
    { name: 'with a scope that only begins so', more: { scope: 'imapx' }, expected: { kind: 'not-permitted' } },
    { name: 'with an address that is not verified', more: { email_verified: false }, expected: { kind: 'not-permitted' } },
    { name: 'without a name', more: { email: '' }, expected: { kind: 'malformed' } },
  ])('$name', async ({ more = {}, expected, ...row }) => {
    expect(await verify(await jwtCheck({ json: JSON.stringify(jwks) }, () => Date.now(), 1000), await signed(more), row.with)).toEqual(expected)
  })
  test('signed by nobody, by somebody else, or with the public key as a shared secret', async () => {
    const check = await jwtCheck({ json: JSON.stringify(jwks) }, () => Date.now(), 1000)
    const [, body = ''] = (await signed({})).split('.')
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`
    const shared = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(Buffer.from(jwks.keys[0]?.n ?? ''))
    for (const token of [none, shared, await signed({}, other.privateKey), await signed({}, keys.privateKey, { kid: 'k2' }), 'nonsense', 'a.b.c', '']) {
      expect(await verify(check, token), token).toEqual({ kind: 'wrong-password' })
    }
  })
  test('keys come from the provider, and a provider that cannot be reached is an outage', async () => {
    answer = () => ({ status: 200, text: JSON.stringify(jwks) })
    expect(await verify(await jwtCheck({ url: `${url}/jwks` }, () => Date.now(), 1000), await signed({}))).toEqual(accepted)
    answer = () => ({ status: 500, text: '' })
    await expect(verify(await jwtCheck({ url: `${url}/jwks` }, () => Date.now(), 1000), await signed({}))).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('introspection (RFC 7662)', () => {
  const check: TokenCheck = async (token, signal) => (await introspect({ url: `${url}/introspect`, clientId: 'mail server', clientSecret: words('s&cret') }, token, signal)) ?? 'invalid'
  test('asks as itself, and takes what is active', async () => {
    const seen: unknown[] = []
    answer = (path, body, authorization) => {
      seen.push([path, body, authorization])
      return { status: 200, text: JSON.stringify({ active: true, ...claims }) }
    }
    expect(await verify(check, 'opaque+token')).toEqual(accepted)
    expect(seen).toEqual([['/introspect', 'token=opaque%2Btoken&token_type_hint=access_token', `Basic ${Buffer.from('mail%20server:s%26cret').toString('base64')}`]])
  })
  test.each([
    { name: 'not active', text: '{"active":false}', expected: { kind: 'wrong-password' } },
    { name: 'active, but at its end', text: JSON.stringify({ active: true, ...claims, exp: now - 3600 }), expected: { kind: 'expired' } },
    { name: 'active, for another service', text: JSON.stringify({ active: true, ...claims, aud: 'x' }), expected: { kind: 'not-permitted' } },
  ])('$name', async ({ text, expected }) => {
    answer = () => ({ status: 200, text })
    expect(await verify(check, 't')).toEqual(expected)
  })
  test.each([
    { name: 'refused', status: 401, text: '{}' },
    { name: 'no JSON', status: 200, text: 'yes' },
    { name: 'no answer to the question', status: 200, text: '{"ok":true}' },
  ])('$name is an outage', async ({ status, text }) => {
    answer = () => ({ status, text })
    await expect(verify(check, 't')).rejects.toMatchObject({ kind: 'unavailable' })
  })
})
