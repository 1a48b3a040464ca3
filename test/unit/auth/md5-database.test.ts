import { createHash, createHmac } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PASSWORD, type BackendAbout, type PeerFacts } from 'mailwright/api'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemFiles } from '../../../core/os/files.js'
import { apop } from '../../../plugins/auth/mechanisms/apop/apop.js'
import { CramMd5 } from '../../../plugins/auth/mechanisms/cram-md5/cram-md5.js'
import { Md5Database } from '../../../plugins/auth/passwords/md5-database/backend.js'
import { findPassword } from '../../../plugins/auth/passwords/md5-database/database-lines.js'
import { DatabaseWatch } from '../../../plugins/auth/passwords/md5-database/watch.js'
import { answering, builtinMechanisms, entry, gateFor, held, LoggedLines, never, octets, peers, tableBackend, words } from '../../support/auth.js'

const about: BackendAbout = { verifies: ['password'], holds: [PASSWORD], changes: false }
let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-md5-'))
  path = join(folder, 'cram-md5.pwd')
  lines = new LoggedLines()
})
afterEach(() => rm(folder, { recursive: true }))

let drawn = 0
const random = (n: number): Uint8Array => new Uint8Array(n).fill(++drawn)
const mechanisms = [
  entry('cram-md5', new CramMd5(random, () => 1_700_000_000_000), { name: 'CRAM-MD5', exposesPassword: false, verifiesBy: [], worksWith: [PASSWORD], offered: () => true }),
  entry('apop', apop, { name: 'APOP', exposesPassword: false, hidden: true, verifiesBy: [], worksWith: [PASSWORD], offered: (p: PeerFacts) => p.service === 'pop' }),
  ...builtinMechanisms,
]
let lines = new LoggedLines()
const gateOver = (settings: Partial<{ requirePrivate: boolean; useForPlaintext: boolean; clearAllowed: boolean }> = {}): ReturnType<typeof gateFor> =>
  gateFor({
    about,
    mechanisms,
    settings: { plaintext: 'always' },
    backends: [new Md5Database(new SystemFiles(undefined), { path, requirePrivate: true, useForPlaintext: true, clearAllowed: false, ...settings }, new DatabaseWatch('cram-md5.pwd', lines)), tableBackend({ bob: 'from the next backend', alice: 'other' }, { serves: () => Promise.resolve({ verifies: ['password'], holds: [] }) })],
  })
const write = (text: string, mode = 0o400): Promise<void> => writeFile(path, text, { mode })

describe('lines', () => {
  const text = '# alice\tremark\r\n\nnotab\nempty\t\nBob\tupper\rbob\tlower\nalice\t first pass\tword \nalice\tsecond\nCarol\tonly upper'
  test.each([
    { name: 'everything after the first TAB', user: 'alice', expected: { user: 'alice', password: ' first pass\tword ' } },
    { name: 'the exact name wins', user: 'Bob', expected: { user: 'Bob', password: 'upper' } },
    { name: 'capitals fall back to lower case', user: 'BOB', expected: { user: 'bob', password: 'lower' } },
    { name: 'lower case does not climb', user: 'carol', expected: undefined },
    { name: 'a remark', user: '# alice', expected: undefined },
    { name: 'no TAB', user: 'notab', expected: undefined },
    { name: 'no password', user: 'empty', expected: undefined },
    { name: 'last line without an end', user: 'Carol', expected: { user: 'Carol', password: 'only upper' } },
  ])('$name', ({ user, expected }) => {
    const found = findPassword(octets(text), user)
    expect(found && { user: found.user, password: Buffer.from(found.password).toString() }).toEqual(expected)
  })
})

describe('the MD5 database', () => {
  const offered = async ({ gate }: ReturnType<typeof gateFor>): Promise<readonly string[]> => (await gate.prepare(never), [...gate.mechanisms(peers.clear), ...(gate.offers('APOP', { ...peers.clear, service: 'pop' }) ? ['(APOP)'] : [])])

  test('turns CRAM-MD5 and APOP on and off by being there, for the next session', async () => {
    const made = gateOver()
    expect(await offered(made)).toEqual(['PLAIN', 'LOGIN'])
    await write('alice\tsecret\n')
    expect(await offered(made)).toEqual(['CRAM-MD5', 'PLAIN', 'LOGIN', '(APOP)'])
    await rm(path)
    expect(await offered(made)).toEqual(['PLAIN', 'LOGIN'])
  })

  test('is the only source of passwords while it exists; without it the next backend answers', async () => {
    const { gate, clock } = gateOver()
    const login = async (user: string, password: string): Promise<string> => (await held(clock, gate.password(user, words(password), peers.session(`${user}${password}`), never))).value.kind
    expect(await login('bob', 'from the next backend')).toBe('in')
    await write('alice\tsecret\n')
    expect([await login('bob', 'from the next backend'), await login('alice', 'secret'), await login('alice', 'other')]).toEqual(['out', 'in', 'out'])
    await rm(path)
    expect(await login('alice', 'other')).toBe('in')
  })

  test('is left out of plaintext logins where the operator says so', async () => {
    await write('alice\tsecret\n')
    const made = gateOver({ useForPlaintext: false })
    expect((await made.gate.password('alice', words('other'), peers.clear, never)).kind).toBe('in')
    expect(await offered(made)).toContain('CRAM-MD5')
  })

  test('that others can read is refused as an outage with the way out, and offers nothing', async () => {
    await write('alice\tsecret\n', 0o640)
    await chmod(path, 0o640)
    const made = gateOver()
    expect(await offered(made)).toEqual(['PLAIN', 'LOGIN'])
    await expect(made.gate.password('alice', words('secret'), peers.clear, never)).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('chmod 0400') })
    expect(await offered(gateOver({ requirePrivate: false }))).toContain('CRAM-MD5')
  })
})

describe('what the log says about the MD5 database', () => {
  const sessions = async (made: ReturnType<typeof gateFor>, count = 2): Promise<void> => {
    for (let n = 0; n < count; n++) await made.gate.prepare(never)
  }
  test('once that it came, once that it went, and nothing while it is not there', async () => {
    const made = gateOver()
    await sessions(made)
    expect(lines.lines).toEqual([])
    await write('alice\tsecret\n')
    await sessions(made)
    await rm(path)
    await sessions(made)
    expect(lines.lines).toEqual(['info MD5 database is in use path=cram-md5.pwd', 'info MD5 database is gone: the password backends after it are asked again path=cram-md5.pwd'])
  })
  test.each([
    { name: 'its passwords may cross the network in clear (FAQ 3.16)', settings: { clearAllowed: true }, mode: 0o400, says: /^warn MD5 database is the source of all passwords, and "plaintext: always" lets them cross the network in clear/ },
    { name: 'it is for CRAM-MD5 and APOP alone', settings: { clearAllowed: true, useForPlaintext: false }, mode: 0o400, says: /^info MD5 database is in use/ },
    { name: 'others can read it', settings: {}, mode: 0o640, says: /^warn MD5 database is refused path=cram-md5.pwd why=can be read by others than its owner \(mode 0640\)/ },
  ])('when $name', async ({ settings, mode, says }) => {
    await write('alice\tsecret\n', mode)
    await chmod(path, mode)
    await sessions(gateOver(settings))
    expect(lines.lines).toEqual([expect.stringMatching(says)])
  })
})

describe('CRAM-MD5 (RFC 2195)', () => {
  const digest = (challenge: string, password: string): string => createHmac('md5', password).update(challenge).digest('hex')
  /** One exchange; the answer is made of the challenge. */
  const exchange = async (answer: (challenge: string) => string, initial?: string): Promise<unknown> => {
    await write('alice\tsecret\nadmin person\tother\n')
    const { gate, clock, log } = gateOver()
    await gate.prepare(never)
    const ask = (challenge: Uint8Array): Promise<Uint8Array> => Promise.resolve(octets(answer(Buffer.from(challenge).toString())))
    const { value } = await held(clock, gate.sasl('cram-md5', initial === undefined ? undefined : octets(initial), ask, peers.clear, never))
    return value.kind === 'in' ? value.authcid : (/reason=(\S+)/.exec(log.lines.join('\n'))?.[1] ?? value.kind)
  }
  test('the example of RFC 2195 §2', () => {
    expect(digest('<1896.697170952@postoffice.reston.mci.net>', 'tanstaaftanstaaf')).toBe('b913a602c7eda7a495b4e6e7334d3890')
  })
  test.each([
    { name: 'the right digest', answer: (c: string) => `alice ${digest(c, 'secret')}`, expected: 'alice' },
    { name: 'capitals are those of the database', answer: (c: string) => `ALICE ${digest(c, 'secret')}`, expected: 'alice' },
    { name: 'a name with a space, split at the last', answer: (c: string) => `admin person ${digest(c, 'other')}`, expected: 'admin person' },
    { name: 'the wrong password', answer: (c: string) => `alice ${digest(c, 'x')}`, expected: 'wrong-password' },
    { name: 'a digest of another challenge (replay)', answer: () => `alice ${digest('<0.0@mail.example.org>', 'secret')}`, expected: 'wrong-password' },
    { name: 'for somebody else without leave', answer: (c: string) => `bob*alice ${digest(c, 'secret')}`, expected: 'not-permitted' },
    { name: 'an unknown user', answer: (c: string) => `zoe ${digest(c, '')}`, expected: 'unknown-user' },
    { name: 'truncated', answer: (c: string) => `alice ${digest(c, 'secret').slice(0, 31)}`, expected: 'malformed' },
    { name: 'upper-case digits', answer: (c: string) => `alice ${digest(c, 'secret').toUpperCase()}`, expected: 'malformed' },
    { name: 'no name', answer: (c: string) => ` ${digest(c, 'secret')}`, expected: 'malformed' },
    { name: 'empty', answer: () => '', expected: 'malformed' },
    { name: 'oversize', answer: (c: string) => `${'a'.repeat(600)} ${digest(c, 'secret')}`, expected: 'malformed' },
    { name: 'an answer before the challenge', answer: (c: string) => `alice ${digest(c, 'secret')}`, initial: 'alice', expected: 'malformed' },
  ])('$name', async ({ answer, expected, initial }) => {
    expect(await exchange(answer, initial)).toBe(expected)
  })
  test('a challenge is never the same, and a cancelled exchange is not counted', async () => {
    await write('alice\tsecret\n')
    const { gate, log } = gateOver()
    await gate.prepare(never)
    const seen = answering()
    for (let i = 0; i < 4; i++) await expect(gate.sasl('CRAM-MD5', undefined, seen.ask, peers.clear, never)).rejects.toThrow('cancelled by the client')
    expect(new Set(seen.challenges).size).toBe(4)
    expect(seen.challenges[0]).toMatch(/^<[0-9a-f]{32}\.1700000000000@mail\.example\.org>$/)
    expect(log.lines).toEqual([])
  })
})

describe('APOP (RFC 1939 §7)', () => {
  const timestamp = '<1896.697170952@dbc.mtview.ca.us>'
  const digest = (password: string, stamp = timestamp): string => createHash('md5').update(stamp.slice(0, 128)).update(password.slice(0, 128)).digest('hex')
  const long = 'p'.repeat(200)
  test('the example of the RFC', () => expect(digest('tanstaaf')).toBe('c4c9334bac560ecc979e58001b3e22fb'))
  test.each([
    { name: 'the right digest', said: `${timestamp}\0alice\0${digest('secret')}`, expected: 'alice' },
    { name: 'capitals in the digest', said: `${timestamp}\0alice\0${digest('secret').toUpperCase()}`, expected: 'alice' },
    { name: 'only 128 octets of a password count', said: `${timestamp}\0long\0${digest(long)}`, expected: 'long' },
    { name: 'another timestamp (replay)', said: `${timestamp}\0alice\0${digest('secret', '<1.2@x>')}`, expected: 'wrong-password' },
    { name: 'an unknown user', said: `${timestamp}\0zoe\0${digest('secret')}`, expected: 'unknown-user' },
    { name: 'for somebody else', said: `${timestamp}\0bob*alice\0${digest('secret')}`, expected: 'not-permitted' },
    { name: 'a timestamp that is none', said: `1896\0alice\0${digest('secret', '1896')}`, expected: 'malformed' },
    { name: 'a truncated digest', said: `${timestamp}\0alice\0${digest('secret').slice(2)}`, expected: 'malformed' },
    { name: 'nothing', said: '', expected: 'malformed' },
  ])('$name', async ({ said, expected }) => {
    await write(`alice\tsecret\nlong\t${long}\n`)
    const { gate, clock, log } = gateOver()
    await gate.prepare(never)
    const { value } = await held(clock, gate.sasl('APOP', octets(said), answering().ask, { ...peers.clear, service: 'pop' }, never))
    expect(value.kind === 'in' ? value.authcid : /reason=(\S+)/.exec(log.lines.join('\n'))?.[1]).toBe(expected)
  })
  test('is nothing that IMAP could ask for, and never listed', async () => {
    await write('alice\tsecret\n')
    const { gate } = gateOver()
    await gate.prepare(never)
    await expect(gate.sasl('APOP', octets(`${timestamp}\0alice\0${digest('secret')}`), answering().ask, peers.clear, never)).rejects.toMatchObject({ kind: 'unsupported' })
    expect(gate.mechanisms({ ...peers.clear, service: 'pop' })).not.toContain('APOP')
  })
})
