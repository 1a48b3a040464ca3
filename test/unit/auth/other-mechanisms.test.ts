import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OTP_CHAIN, PASSWORD, type BackendAbout, type Claim, type MechanismAbout, type PasswordBackend, type PeerFacts, type SaslMechanism, type Verdict } from 'mailwright/api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../core/os/clock.js'
import { SystemFiles } from '../../../core/os/files.js'
import { Anonymous } from '../../../plugins/auth/mechanisms/anonymous/anonymous.js'
import { DigestMd5 } from '../../../plugins/auth/mechanisms/digest-md5/digest-md5.js'
import { parseDirectives } from '../../../plugins/auth/mechanisms/digest-md5/directives.js'
import { External } from '../../../plugins/auth/mechanisms/external/external.js'
import { BearerMechanism, parseOauthBearer, parseXoauth2 } from '../../../plugins/auth/mechanisms/oauth/oauth.js'
import { DICTIONARY } from '../../../plugins/auth/mechanisms/otp/dictionary.js'
import { otp } from '../../../plugins/auth/mechanisms/otp/otp.js'
import { passwordOfWords } from '../../../plugins/auth/mechanisms/otp/six-words.js'
import { OtpBackend } from '../../../plugins/auth/passwords/otp/backend.js'
import { otpPassword } from '../../../plugins/auth/shared/otp-chain.js'
import { PasswordFile } from '../../../plugins/auth/shared/password-file.js'
import { aboutClear, answering, clearBackend, entry, gateFor, held, LoggedLines, never, octets, peers, tableBackend, turns, words } from '../../support/auth.js'
import { digestMd5Response, otpPassword as clientOtp, otpStep, otpWords as clientOtpWords } from '../../support/sasl-clients.js'

const about = (name: string, more: Partial<MechanismAbout> = {}): MechanismAbout => ({ name, exposesPassword: false, verifiesBy: [], worksWith: [], offered: () => true, ...more })
const only = (name: string, made: SaslMechanism, more: Partial<MechanismAbout> = {}): readonly ReturnType<typeof entry<SaslMechanism, MechanismAbout>>[] => [entry(name, made, about(name, more))]
type Gate = ReturnType<typeof gateFor>
/** Who came in as whom, or the reason that the log has. */
async function outcome({ gate, clock, log }: Gate, mechanism: string, initial: string | undefined, ask: (challenge: Uint8Array) => Promise<Uint8Array>, peer: PeerFacts = peers.clear): Promise<unknown> {
  await gate.prepare(never)
  const { value } = await held(clock, gate.sasl(mechanism, initial === undefined ? undefined : octets(initial), ask, peer, never))
  return value.kind === 'in' ? `${value.authcid} as ${value.user.name}` : /reason=(\S+)/.exec(log.lines.at(-2) ?? '')?.[1]
}
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-mechanisms-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('DIGEST-MD5 (RFC 2831)', () => {
  let drawn = 0
  const gate = (): Gate => gateFor({ mechanisms: only('DIGEST-MD5', new DigestMd5((n) => new Uint8Array(n).fill(++drawn), undefined), { worksWith: [PASSWORD] }), backends: [clearBackend({ chris: 'secret', 'a"b\\c': 'secret' })], about: aboutClear })
  const login = async (user: string, password: string, more?: Readonly<Record<string, string | undefined>>, edit = (t: string): string => t, initial?: string): Promise<unknown> => {
    let proved = ''
    let data = ''
    const ask = (challenge: Uint8Array): Promise<Uint8Array> => {
      const text = Buffer.from(challenge).toString()
      if (text.startsWith('rspauth')) {
        data = text
        return Promise.resolve(new Uint8Array(0))
      }
      const { text: answer, serverSays } = digestMd5Response(text, user, password, more)
      proved = serverSays
      return Promise.resolve(octets(edit(answer)))
    }
    const result = await outcome(gate(), 'DIGEST-MD5', initial, ask)
    return String(result).includes(' as ') ? `${String(result)}${data === proved ? '' : ', server unproved'}` : result
  }
  test('the example of RFC 2831', () => {
    const { text, serverSays } = digestMd5Response('realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8', 'chris', 'secret')
    // The example has another digest-uri; what is compared is that the parts are the same.
    expect(text).toContain('username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk"')
    expect(serverSays).toMatch(/^rspauth=[0-9a-f]{32}$/)
  })
  test.each([
    { name: 'the right password', user: 'chris', password: 'secret', expected: 'chris as chris' },
    { name: 'without qop, which is auth then', user: 'chris', password: 'secret', more: { qop: undefined }, expected: 'chris as chris' },
    { name: 'authzid that repeats the name', user: 'chris', password: 'secret', more: { authzid: 'chris' }, expected: 'chris as chris' },
    { name: 'authzid of somebody else', user: 'chris', password: 'secret', more: { authzid: 'root' }, expected: 'not-permitted' },
    { name: 'wrong password', user: 'chris', password: 'x', expected: 'wrong-password' },
    { name: 'unknown user', user: 'zoe', password: 'secret', expected: 'unknown-user' },
    { name: 'wrong realm', user: 'chris', password: 'secret', more: { realm: 'elsewhere' }, expected: 'malformed' },
    { name: 'no realm', user: 'chris', password: 'secret', edit: (t: string) => t.replace(/realm="[^"]*",/, ''), expected: 'malformed' },
    { name: 'a nonce of another exchange (replay)', user: 'chris', password: 'secret', more: { nonce: 'OA6MG9tEQGm2hh' }, expected: 'malformed' },
    { name: 'a second use of the nonce', user: 'chris', password: 'secret', more: { nc: '00000002' }, expected: 'malformed' },
    { name: 'a layer that was not offered', user: 'chris', password: 'secret', more: { qop: 'auth-int' }, expected: 'malformed' },
    { name: 'for another service', user: 'chris', password: 'secret', more: { 'digest-uri': 'smtp/mail.example.org' }, expected: 'malformed' },
    { name: 'the response of another digest-uri', user: 'chris', password: 'secret', more: { 'digest-uri': 'imap/other' }, expected: 'wrong-password' },
    { name: 'a name twice', user: 'chris', password: 'secret', edit: (t: string) => `${t},username="zoe"`, expected: 'malformed' },
    { name: 'truncated', user: 'chris', password: 'secret', edit: (t: string) => t.slice(0, -1), expected: 'malformed' },
    { name: 'empty', user: 'chris', password: 'secret', edit: () => '', expected: 'malformed' },
    { name: 'no list at all', user: 'chris', password: 'secret', edit: () => 'username="chris', expected: 'malformed' },
    { name: 'oversize', user: 'chris', password: 'secret', edit: (t: string) => `${t},x="${'a'.repeat(5000)}"`, expected: 'malformed' },
    { name: 'a response before the challenge', user: 'chris', password: 'secret', initial: 'username="chris"', expected: 'malformed' },
  ])('$name', async ({ user, password, more, edit, initial, expected }) => expect(await login(user, password, more, edit, initial)).toBe(expected))

  test('directives with quoted characters and white space', () => {
    expect(parseDirectives('a="x\\"y\\\\z" , b=token,,c=""')).toEqual(new Map([['a', 'x"y\\z'], ['b', 'token'], ['c', '']]))
    expect(['a', 'a=', 'a="', 'a=b c', '="x"'].map(parseDirectives)).toEqual(Array.from({ length: 5 }, () => undefined))
  })
})

describe('EXTERNAL (RFC 4422 Appendix A)', () => {
  const gate = (): Gate => gateFor({ mechanisms: only('EXTERNAL', new External(['email', 'common-name'], false), { offered: (p) => p.tls?.clientCertificate !== undefined || p.externalIdentity !== undefined }) })
  const local: PeerFacts = { ...peers.clear, externalIdentity: 'alice' }
  test.each([
    { name: 'an empty answer is oneself', initial: undefined, answer: '', expected: 'alice as alice' },
    { name: 'an empty initial response', initial: '', answer: 'never asked', expected: 'alice as alice' },
    { name: 'the own name', initial: 'alice', answer: '', expected: 'alice as alice' },
    { name: 'somebody else', initial: 'bob', answer: '', expected: 'not-permitted' },
    { name: 'a NUL', initial: 'al\0ice', answer: '', expected: 'malformed' },
    { name: 'oversize', initial: 'a'.repeat(255), answer: '', expected: 'malformed' },
  ])('$name', async ({ initial, answer, expected }) => expect(await outcome(gate(), 'EXTERNAL', initial, answering(answer).ask, local)).toBe(expected))
  test('is not offered to whom nobody vouches for', async () => {
    await expect(gate().gate.sasl('EXTERNAL', octets(''), answering().ask, peers.encrypted, never)).rejects.toMatchObject({ kind: 'unsupported' })
  })
})

describe('ANONYMOUS (RFC 4505)', () => {
  const gate = (file: string | undefined): Gate => gateFor({ mechanisms: only('ANONYMOUS', new Anonymous(new SystemFiles(undefined), file, '/var/anonymous')) })
  test('is offered while the enable file exists, to AUTHENTICATE and to LOGIN', async () => {
    const file = join(folder, 'anonymous.newsgroups')
    const { gate: g, clock, log } = gate(file)
    await g.prepare(never)
    expect(g.mechanisms(peers.clear)).toEqual([])
    expect((await held(clock, g.password('anonymous', words('guest'), peers.encrypted, never))).value.kind).toBe('out')
    await writeFile(file, '')
    await g.prepare(never)
    expect(g.mechanisms(peers.clear)).toEqual(['ANONYMOUS'])
    const user = { name: 'anonymous', kind: 'anonymous', home: '/var/anonymous', facts: { trace: 'guest' } }
    expect(await g.password('Anonymous', words('guest'), peers.clear, never)).toMatchObject({ kind: 'in', user })
    expect(await g.sasl('ANONYMOUS', octets('guest'), answering().ask, peers.clear, never)).toMatchObject({ kind: 'in', user })
    expect(log.lines.slice(-2)).toEqual(['info Login anonymous=guest host=[192.0.2.7]', 'info Authenticated anonymous=guest host=[192.0.2.7] mech=ANONYMOUS'])
  })
  test.each([
    { name: 'no trace', answer: '', expected: 'anonymous as anonymous' },
    { name: 'a long trace', answer: 'x'.repeat(256), expected: 'malformed' },
  ])('$name', async ({ answer, expected }) => expect(await outcome(gate(undefined), 'ANONYMOUS', undefined, answering(answer).ask)).toBe(expected))
  test('a trace that is no text', async () => {
    expect(await outcome(gate(undefined), 'ANONYMOUS', undefined, answering(Uint8Array.of(0xff)).ask)).toBe('malformed')
  })
})

describe('bearer tokens', () => {
  const backend: PasswordBackend = {
    verify: (claim: Claim): Promise<Verdict> => Promise.resolve(claim.kind === 'token' && Buffer.from(claim.token.reveal()).toString() === 'good.token' ? { kind: 'accepted', user: 'alice', alerts: [] } : { kind: 'wrong-password' }),
  }
  const tokens: BackendAbout = { verifies: ['token'], holds: [], changes: false }
  const gate = (name: string, parse: typeof parseXoauth2): Gate => gateFor({ mechanisms: only(name, new BearerMechanism(parse, { status: 'invalid_token' }), { verifiesBy: ['token'], exposesPassword: true }), backends: [backend], about: tokens })
  test.each([
    { name: 'with a name', said: 'n,a=alice,\x01auth=Bearer good.token\x01\x01', expected: 'alice as alice' },
    { name: 'without a name', said: 'n,,\x01auth=Bearer good.token\x01\x01', expected: 'alice as alice' },
    { name: 'host and port beside it', said: 'n,a=alice,\x01host=mail.example.org\x01port=143\x01auth=bearer good.token\x01\x01', expected: 'alice as alice' },
    { name: 'for somebody else', said: 'n,a=bob,\x01auth=Bearer good.token\x01\x01', expected: 'not-permitted' },
    { name: 'a bad token', said: 'n,a=alice,\x01auth=Bearer bad\x01\x01', expected: 'wrong-password', told: '{"status":"invalid_token"}' },
    { name: 'a binding that this mechanism has not', said: 'p=tls-exporter,a=alice,\x01auth=Bearer good.token\x01\x01', expected: 'malformed' },
    { name: 'two tokens', said: 'n,,\x01auth=Bearer bad\x01auth=Bearer good.token\x01\x01', expected: 'malformed' },
    { name: 'another kind of token', said: 'n,,\x01auth=Basic good.token\x01\x01', expected: 'malformed' },
    { name: 'no end', said: 'n,,\x01auth=Bearer good.token\x01', expected: 'malformed' },
    { name: 'nothing', said: '', expected: 'malformed' },
    { name: 'oversize', said: `n,,\x01auth=Bearer ${'a'.repeat(20_000)}\x01\x01`, expected: 'malformed' },
  ])('OAUTHBEARER (RFC 7628): $name', async ({ said, expected, told }) => {
    const client = answering('\x01')
    expect(await outcome(gate('OAUTHBEARER', parseOauthBearer), 'OAUTHBEARER', said, client.ask, peers.encrypted)).toBe(expected)
    expect(client.challenges).toEqual(told === undefined ? [] : [told])
  })
  test.each([
    { name: 'a good token', said: 'user=alice\x01auth=Bearer good.token\x01\x01', expected: 'alice as alice' },
    { name: 'for somebody else', said: 'user=bob\x01auth=Bearer good.token\x01\x01', expected: 'not-permitted' },
    { name: 'a bad token', said: 'user=alice\x01auth=Bearer bad\x01\x01', expected: 'wrong-password' },
    { name: 'no name', said: 'user=\x01auth=Bearer good.token\x01\x01', expected: 'malformed' },
    { name: 'something behind it', said: 'user=alice\x01auth=Bearer good.token\x01\x01x', expected: 'malformed' },
  ])('XOAUTH2: $name', async ({ said, expected }) => expect(await outcome(gate('XOAUTH2', parseXoauth2), 'XOAUTH2', said, answering('').ask, peers.encrypted)).toBe(expected))
  test('a token is not taken in clear where passwords are not', () => {
    expect(gate('XOAUTH2', parseXoauth2).gate.mechanisms(peers.clear)).toEqual([])
  })
})

describe('OTP (RFC 2444)', () => {
  test.each([
    { algorithm: 'md5' as const, passphrase: 'This is a test.', seed: 'TeSt', sequence: 0, hex: '9e876134d90499dd' },
    { algorithm: 'md5' as const, passphrase: 'This is a test.', seed: 'TeSt', sequence: 99, hex: '50fe1962c4965880' },
    { algorithm: 'sha1' as const, passphrase: 'This is a test.', seed: 'TeSt', sequence: 0, hex: 'bb9e6ae1979d8ff4' },
    { algorithm: 'sha1' as const, passphrase: 'AbCdEfGhIjK', seed: 'alpha1', sequence: 99, hex: '27bc71035aaf3dc6' },
  ])('the examples of RFC 2289: $algorithm $seed $sequence', ({ algorithm, passphrase, seed, sequence, hex }) => {
    expect(Buffer.from(otpPassword(algorithm, octets(passphrase), seed, sequence)).toString('hex')).toBe(hex)
  })

  const path = (): string => join(folder, 'otp')
  const gate = (renew = true): Gate => {
    const files = new SystemFiles(undefined)
    const backend = new OtpBackend(new PasswordFile(path(), files, systemClock, new LoggedLines()), (n) => new Uint8Array(n).fill(1), { length: 100, warnBelow: 5, renew })
    return gateFor({ mechanisms: only('OTP', otp, { worksWith: [OTP_CHAIN] }), backends: [backend], about: { verifies: ['one-time'], holds: [OTP_CHAIN], changes: false } })
  }
  const chain = (sequence: number): string => `alice:otp-md5 ${sequence} ke1234 ${clientOtp('md5', 'a secret phrase', 'ke1234', sequence).toString('hex')}\n`
  const answer = (challenge: Uint8Array): string => {
    const [, algorithm, sequence, seed = ''] = /^otp-(md5|sha1) (\d+) (\S+) ext$/.exec(Buffer.from(challenge).toString()) ?? []
    return clientOtp(algorithm === 'sha1' ? 'sha1' : 'md5', 'a secret phrase', seed, Number(sequence)).toString('hex')
  }
  const asked = (edit: (hex: string) => string) => (challenge: Uint8Array) => Promise.resolve(octets(edit(answer(challenge))))
  test('each password is good for one login, and the file knows before the client does', async () => {
    await writeFile(path(), chain(50), { mode: 0o600 })
    let used = ''
    expect(await outcome(gate(), 'OTP', '\0alice', asked((hex) => `hex:${(used = hex)}`))).toBe('alice as alice')
    expect(await readFile(path(), 'utf8')).toBe(chain(49))
    expect(await outcome(gate(), 'OTP', '\0alice', () => Promise.resolve(octets(`hex:${used}`)))).toBe('wrong-password')
    expect(await outcome(gate(), 'OTP', 'alice\0alice', asked((hex) => `HEX:${hex.toUpperCase().replace(/(.{4})/g, '$1 ')}`))).toBe('alice as alice')
  })
  test('two logins with one password at the same time: one comes in', async () => {
    await writeFile(path(), chain(50), { mode: 0o600 })
    const made = gate()
    await made.gate.prepare(never)
    const tries = [1, 2, 3].map((i) => made.gate.sasl('OTP', octets('\0alice'), asked((hex) => `hex:${hex}`), peers.session(`o${i}`), never))
    const all = await held(made.clock, Promise.all(tries))
    expect(all.value.filter((o) => o.kind === 'in')).toHaveLength(1)
    await turns()
    expect(await readFile(path(), 'utf8')).toBe(chain(49))
  })
  test.each([
    { name: 'wrong', initial: '\0alice', edit: () => 'hex:0000000000000000', expected: 'wrong-password' },
    { name: 'truncated', initial: '\0alice', edit: (hex: string) => `hex:${hex.slice(2)}`, expected: 'malformed' },
    { name: 'words with a wrong check sum', initial: '\0alice', edit: () => 'word:INCH SEA ANNE LONG AHEM TOUT', expected: 'malformed' },
    { name: 'five words', initial: '\0alice', edit: () => 'word:INCH SEA ANNE LONG AHEM', expected: 'malformed' },
    { name: 'a word of another dictionary', initial: '\0alice', edit: () => 'word:INCH SEA ANNE LONG AHEM ZZZZ', expected: 'malformed' },
    { name: 'a type that is none', initial: '\0alice', edit: (hex: string) => `foo:${hex}`, expected: 'malformed' },
    { name: 'more than a password', initial: '\0alice', edit: (hex: string) => `hex:${hex}:${hex}`, expected: 'malformed' },
    { name: 'a new chain behind a wrong password', initial: '\0alice', edit: (hex: string) => `init-hex:0000000000000000:md5 499 ke1235:${hex}`, expected: 'wrong-password' },
    { name: 'an answer that is oversize', initial: '\0alice', edit: (hex: string) => `hex:${hex}${' '.repeat(600)}`, expected: 'malformed' },
    { name: 'for somebody else', initial: 'bob\0alice', edit: (hex: string) => `hex:${hex}`, expected: 'not-permitted' },
    { name: 'nobody known', initial: '\0zoe', edit: (hex: string) => `hex:${hex}`, expected: 'unknown-user' },
    { name: 'no name', initial: '\0', edit: (hex: string) => `hex:${hex}`, expected: 'malformed' },
    { name: 'no NUL', initial: 'alice', edit: (hex: string) => `hex:${hex}`, expected: 'malformed' },
    { name: 'oversize', initial: `\0${'a'.repeat(600)}`, edit: (hex: string) => `hex:${hex}`, expected: 'malformed' },
  ])('$name', async ({ initial, edit, expected }) => {
    await writeFile(path(), chain(50), { mode: 0o600 })
    expect(await outcome(gate(), 'OTP', initial, asked(edit))).toBe(expected)
  })
  test.each([
    { hex: '9e876134d90499dd', words: 'INCH SEA ANNE LONG AHEM TOUR' },
    { hex: '50fe1962c4965880', words: 'bail tuft  bits\tgang chef thy' },
    { hex: '7cd34c1040add14b', words: 'FACT HOOF AT FIST SITE KENT' },
    { hex: 'bb9e6ae1979d8ff4', words: ' MILT VARY MAST OK SEES WENT ' },
    { hex: '4f296a74fe1567ec', words: 'AURA ALOE HURL WING BERG WAIT' },
  ])('the examples of RFC 2289 in words: $words', ({ hex, words: six }) => {
    expect(Buffer.from(passwordOfWords(six) ?? []).toString('hex')).toBe(hex)
  })
  test('the dictionary is whole: what any password reads as in words is that password again', () => {
    expect(DICTIONARY).toHaveLength(2048)
    expect(new Set(DICTIONARY).size).toBe(2048)
    for (let n = 0; n < 500; n++) {
      const password = otpStep('md5', octets(`password ${n}`))
      expect(Buffer.from(passwordOfWords(clientOtpWords(password, DICTIONARY)) ?? [])).toEqual(password)
    }
  })
  test('an answer in words', async () => {
    await writeFile(path(), chain(50), { mode: 0o600 })
    expect(await outcome(gate(), 'OTP', '\0alice', asked((hex) => `word:${clientOtpWords(Buffer.from(hex, 'hex'), DICTIONARY).toLowerCase()}`))).toBe('alice as alice')
    expect(await readFile(path(), 'utf8')).toBe(chain(49))
  })

  /** The last password of a new chain, as the client says it. */
  const fresh = (algorithm: 'md5' | 'sha1', sequence: number, seed: string): Buffer => clientOtp(algorithm, 'another secret phrase', seed, sequence)
  test.each([
    { name: 'in digits', say: (hex: string) => `init-hex:${hex}:md5 499 ke1235:${fresh('md5', 499, 'ke1235').toString('hex')}`, stored: `otp-md5 499 ke1235 ${fresh('md5', 499, 'ke1235').toString('hex')}` },
    {
      name: 'in words, with another digest', stored: `otp-sha1 9999 Other7 ${fresh('sha1', 9999, 'Other7').toString('hex')}`,
      say: (hex: string) => `INIT-WORD: ${clientOtpWords(Buffer.from(hex, 'hex'), DICTIONARY)} : SHA1  9999 Other7 : ${clientOtpWords(fresh('sha1', 9999, 'Other7'), DICTIONARY)}`,
    },
  ])('a new chain comes with a password, $name (RFC 2243 §4), and its passwords log in', async ({ say, stored }) => {
    await writeFile(path(), chain(3), { mode: 0o600 })
    expect(await outcome(gate(), 'OTP', '\0alice', asked(say))).toBe('alice as alice')
    expect(await readFile(path(), 'utf8')).toBe(`alice:${stored}\n`)
    const next = (challenge: Uint8Array): Promise<Uint8Array> => {
      const [, algorithm, sequence, seed = ''] = /^otp-(md5|sha1) (\d+) (\S+) ext$/.exec(Buffer.from(challenge).toString()) ?? []
      return Promise.resolve(octets(`hex:${fresh(algorithm === 'sha1' ? 'sha1' : 'md5', Number(sequence), seed).toString('hex')}`))
    }
    expect(await outcome(gate(), 'OTP', '\0alice', next)).toBe('alice as alice')
  })
  test.each([
    { name: 'the same seed', say: (hex: string) => `init-hex:${hex}:md5 499 KE1234:${hex}`, expected: 'malformed' },
    { name: 'an algorithm that is none', say: (hex: string) => `init-hex:${hex}:md4 499 ke1235:${hex}`, expected: 'malformed' },
    { name: 'no password in it', say: (hex: string) => `init-hex:${hex}:md5 1 ke1235:${hex}`, expected: 'malformed' },
    { name: 'too many', say: (hex: string) => `init-hex:${hex}:md5 10000 ke1235:${hex}`, expected: 'malformed' },
    { name: 'a seed that would be a line of its own', say: (hex: string) => `init-hex:${hex}:md5 499 ke\nroot:${hex}`, expected: 'malformed' },
    { name: 'no new password', say: (hex: string) => `init-hex:${hex}:md5 499 ke1235`, expected: 'malformed' },
    { name: 'the operator does not want it', say: (hex: string) => `init-hex:${hex}:md5 499 ke1235:${hex}`, renew: false, expected: 'not-permitted' },
  ])('a new chain is refused, and the password that came with it used up: $name', async ({ say, renew = true, expected }) => {
    await writeFile(path(), chain(50), { mode: 0o600 })
    expect(await outcome(gate(renew), 'OTP', '\0alice', asked(say))).toBe(expected)
    expect(await readFile(path(), 'utf8')).toBe(chain(49))
  })
  test('few passwords left are told, and a chain at its end is not offered', async () => {
    await writeFile(path(), chain(3), { mode: 0o600 })
    const { gate: g, clock } = gate()
    await g.prepare(never)
    const login = await held(clock, g.sasl('OTP', octets('\0alice'), asked((hex) => `hex:${hex}`), peers.clear, never))
    expect(login.value).toMatchObject({ kind: 'in', alerts: ['1 one-time passwords are left'] })
    await writeFile(path(), chain(1), { mode: 0o600 })
    await g.prepare(never)
    expect(g.mechanisms(peers.clear)).toEqual([])
  })
})

test('what is cancelled in the middle is not counted', async () => {
  const { gate, log } = gateFor({
    mechanisms: [...only('DIGEST-MD5', new DigestMd5((n) => new Uint8Array(n), undefined)), ...only('OTP', otp), ...only('EXTERNAL', new External(['email'], false)), ...only('ANONYMOUS', new Anonymous(new SystemFiles(undefined), undefined, undefined)), ...only('XOAUTH2', new BearerMechanism(parseXoauth2, {}))],
    backends: [tableBackend({})],
    settings: { maxAttempts: 1 },
  })
  await gate.prepare(never)
  for (const name of gate.mechanisms(peers.encrypted)) await expect(gate.sasl(name, undefined, answering().ask, peers.encrypted, never), name).rejects.toThrow('cancelled by the client')
  expect(log.lines).toEqual([])
})
