import { existsSync, readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, hasPython, run, runOnTerminal } from '../support/programs.js'
import { otpPassword } from '../support/sasl-clients.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const PASSPHRASE = 'a secret phrase'
/** Alice's chain of one-time passwords, of which the one with this number was the last that was used. */
const otpLine = (sequence: number): string => `alice:otp-md5 ${sequence} ke1234 ${otpPassword('md5', PASSPHRASE, 'ke1234', sequence).toString('hex')}\n`
let server: RunningServer
let token = ''
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const sign = (claims: Record<string, unknown>): Promise<string> => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).setExpirationTime('1h').setAudience('mail').setIssuer('https://id.example.org').sign(privateKey)
  token = await sign({ email: 'alice' })
  server = await startServer({
    auth: `mechanisms: [otp, scram-sha-256-plus, scram-sha-256, scram-sha-1-plus, scram-sha-1, oauthbearer, xoauth2, cram-md5, digest-md5, external, plain, login, { use: anonymous, enableFile: false, home: anonymous }]
schemes: [ { use: plain, allow: true }, scrypt ]
passwords:
  - { use: file, path: users.txt, keep: [clear] }
  - { use: otp, path: otp-users.txt }
  - { use: oauth2, jwksFile: keys.json, issuer: 'https://id.example.org', audience: [mail] }
policies: [ { use: guard, rules: [ { name: slow, by: user, failures: 3, within: 1h, effect: refuse, for: 1h } ], allowUsers: [alice] } ]`,
    files: { 'keys.json': JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }] }), 'anonymous/INBOX': '', 'otp-users.txt': otpLine(400) },
    tls: ', clientAuthority: authority.pem',
    prepare: async (folder) => {
      const openssl = (...args: readonly string[]): ReturnType<typeof run> => run('openssl', args, { cwd: folder })
      for (const [name, subject] of [['authority', 'Test'], ['forged', 'alice']] as const) await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${subject}`, '-days', '2')
      await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'client.key', '-out', 'client.csr', '-subj', '/CN=alice')
      await openssl('x509', '-req', '-in', 'client.csr', '-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-out', 'client.pem', '-days', '2')
    },
    listeners: (port) => `proxied: { protocol: imap4, address: 127.0.0.1, port: ${port}, tls: implicit, proxy: [127.0.0.1] }`,
  })
})
afterAll(() => server.remove())

/** Runs a login; afterwards the log says by which mechanism alice came in. */
async function logsIn(mechanism: string, login: () => Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>): Promise<true> {
  const before = server.log().length
  const ran = await login()
  // The log comes through a pipe, which may be later than the client's end.
  await expect.poll(() => server.log().slice(before), { message: `${ran.stdout}\n${ran.stderr}`, timeout: 30_000 }).toMatch(new RegExp(`Authenticated.*alice.*mech"?[=:]\\s*"?${mechanism}(?:["\\s,}]|$)`, 'm'))
  return true
}

const links = [
  { link: 'in clear', args: [], scheme: 'imap', port: 'imap' },
  { link: 'STARTTLS', args: ['--ssl-reqd'], scheme: 'imap', port: 'imap' },
  { link: 'implicit TLS', args: [], scheme: 'imaps', port: 'imaps' },
] as const

describe.skipIf(!has('curl'))('curl', () => {
  test.each(links.flatMap((l) => ['PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5'].map((mechanism) => ({ ...l, mechanism }))))('$mechanism, $link', async ({ args, scheme, port, mechanism }) => {
    expect(await logsIn(mechanism, () => run('curl', ['-sS', '--cacert', server.certificate, ...args, '--login-options', `AUTH=${mechanism}`, '-u', 'alice:secret', `${scheme}://localhost:${server.ports[port]}/`]))).toBe(true)
  })
  test.each(['OAUTHBEARER'])('%s with a signed token', async (mechanism) => {
    expect(await logsIn(mechanism, () => run('curl', ['-sS', '--cacert', server.certificate, '--login-options', `AUTH=${mechanism}`, '--oauth2-bearer', token, '-u', 'alice:', `imaps://localhost:${server.ports.imaps}/`]))).toBe(true)
    const forged = await run('curl', ['-sS', '--cacert', server.certificate, '--login-options', `AUTH=${mechanism}`, '--oauth2-bearer', `${token.slice(0, -8)}AAAAAAAA`, '-u', 'alice:', `imaps://localhost:${server.ports.imaps}/`])
    expect(forged.code).toBe(67)
  })
})

describe.skipIf(!has('gsasl'))('gsasl', () => {
  const gsasl = (mechanism: string, more: readonly string[] = []): ReturnType<typeof run> =>
    run('gsasl', ['--client', '--imap', '--connect', `localhost:${server.ports.imap}`, '--mechanism', mechanism, '--authentication-id', 'alice', '--password', 'secret', '--quiet', ...more], { input: '. LOGOUT\r\n' })
  test.each(['PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256'])('%s in clear', async (mechanism) => {
    expect(await logsIn(mechanism, () => gsasl(mechanism, ['--no-starttls', ...(mechanism === 'DIGEST-MD5' ? ['--service', 'imap', '--hostname', 'localhost', '--realm', 'localhost', '--quality-of-protection', 'qop-auth'] : [])]))).toBe(true)
  })
  test.each(['SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN'])('%s inside TLS', async (mechanism) => {
    expect(await logsIn(`${mechanism}(?:-PLUS)?`, () => gsasl(mechanism, ['--starttls', '--x509-ca-file', server.certificate, '--no-cb']))).toBe(true)
  })
})

const IMTEST = '/usr/lib/cyrus/bin/imtest'
describe.skipIf(!existsSync(IMTEST))('imtest (Cyrus SASL)', () => {
  const imtest = (mechanism: string, password = 'secret'): ReturnType<typeof run> =>
    run(IMTEST, ['-m', mechanism, '-u', 'alice', '-a', 'alice', '-w', password, '-r', 'localhost', '-p', String(server.ports.imap), 'localhost'], { input: 'Z LOGOUT\r\n' })
  test.each(['PLAIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256'])('%s', async (mechanism) => {
    expect(await logsIn(mechanism, () => imtest(mechanism))).toBe(true)
  })
  const hasOtp = readdirSync('/usr/lib').some((folder) => existsSync(join('/usr/lib', folder, 'sasl2/libotp.so')))
  test.skipIf(!hasOtp)('OTP, where the client makes itself a new chain when few passwords are left', async () => {
    const file = join(server.folder, 'otp-users.txt')
    const chain = async (): Promise<{ readonly sequence: number; readonly seed: string }> => {
      const [, sequence, seed = ''] = /^alice:otp-md5 (\d+) (\S+) /.exec(await readFile(file, 'utf8')) ?? []
      return { sequence: Number(sequence), seed }
    }
    const before = await chain()
    for (let n = 0; n < 2; n++) await logsIn('OTP', () => imtest('OTP', PASSPHRASE))
    const after = await chain()
    expect([before.seed === after.seed, after.sequence]).toEqual([false, 498])
    expect((await imtest('OTP', 'another phrase')).stdout).toContain('NO [AUTHENTICATIONFAILED]')
    expect(await chain()).toEqual(after)
  })
  test('a wrong password is told in the same words for every mechanism', async () => {
    for (const mechanism of ['PLAIN', 'CRAM-MD5', 'SCRAM-SHA-256']) expect((await imtest(mechanism, 'x')).stdout).toMatch(new RegExp(`NO \\[AUTHENTICATIONFAILED\\] AUTHENTICATE ${mechanism} failed`))
  })
})

describe.skipIf(!hasPython('imaplib'))('imaplib', () => {
  const python = (lines: string): ReturnType<typeof run> => run('python3', ['-c', `import imaplib\nm = imaplib.IMAP4('localhost', ${server.ports.imap})\n${lines}\nprint(m.select(readonly=True))\nm.logout()`])
  test('CRAM-MD5', () => expect(logsIn('CRAM-MD5', () => python(`m.login_cram_md5('alice', 'secret')`))).resolves.toBe(true))
  test('PLAIN', () => expect(logsIn('PLAIN', () => python(`m.authenticate('PLAIN', lambda _: b'\\0alice\\0secret')`))).resolves.toBe(true))
  test('XOAUTH2', () => expect(logsIn('XOAUTH2', () => python(`m.authenticate('XOAUTH2', lambda _: b'user=alice\\x01auth=Bearer ${token}\\x01\\x01')`))).resolves.toBe(true))
  test('LOGIN anonymous, to an empty mailbox that cannot be written', async () => {
    const ran = await python(`m.login('anonymous', 'guest@example.org')`)
    expect(ran.stderr).toBe('')
    await expect.poll(() => server.log(), { timeout: 30_000 }).toMatch(/Login anonymous=guest@example\.org/)
  })
})

describe.skipIf(!has('mutt'))('mutt', () => {
  test.each(['cram-md5', 'plain', 'login'])('%s', async (mechanism) => {
    expect(await logsIn(mechanism.toUpperCase(), () =>
      runOnTerminal('mutt', ['-n', '-F', '/dev/null', '-e', `set imap_authenticators=${mechanism}; set ssl_starttls=no; set ssl_force_tls=no; set imap_user=alice; set imap_pass=secret; set folder=imap://localhost:${server.ports.imap}/; push <quit>`, '-f', `imap://localhost:${server.ports.imap}/INBOX`]),
    )).toBe(true)
  })
})

describe('imapflow', () => {
  test.each([
    { mechanism: 'PLAIN', auth: { user: 'alice', pass: 'secret', loginMethod: 'AUTH=PLAIN' } },
    { mechanism: 'LOGIN', auth: { user: 'alice', pass: 'secret', loginMethod: 'AUTH=LOGIN' } },
    { mechanism: 'OAUTHBEARER', auth: { user: 'alice', accessToken: 'TOKEN' } },
  ])('$mechanism', async ({ mechanism, auth }) => {
    const { ImapFlow } = await import('imapflow')
    const given = 'accessToken' in auth ? { ...auth, accessToken: token } : auth
    expect(await logsIn(mechanism, async () => {
      const client = new ImapFlow({ host: 'localhost', port: server.ports.imaps, secure: true, auth: given, logger: false, tls: { ca: await readFile(server.certificate) } } as ConstructorParameters<typeof ImapFlow>[0])
      await client.connect()
      await client.logout()
      return { code: 0, stdout: '', stderr: '' }
    })).toBe(true)
  })
})

describe.skipIf(!has('openssl'))('a client certificate', () => {
  const speak = async (certificate: string): Promise<string> => {
    const [cert, key] = await Promise.all([readFile(join(server.folder, `${certificate}.pem`)), readFile(join(server.folder, `${certificate}.key`))])
    const secure = connectTls({ port: server.ports.imaps, host: 'localhost', ca: await readFile(server.certificate), servername: 'localhost', cert, key })
    let heard = ''
    secure.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    secure.on('error', () => undefined)
    secure.write('a1 AUTHENTICATE EXTERNAL =\r\na2 LOGOUT\r\n')
    await new Promise((resolve) => secure.once('close', resolve))
    return heard
  }
  test('of the authority lets its owner in; one that anybody made is as good as none', async () => {
    expect(await speak('client')).toMatch(/a1 OK .*User alice authenticated/)
    const forged = await speak('forged')
    expect(forged).not.toContain('AUTH=EXTERNAL')
    expect(forged).toContain('a1 BAD Command unrecognized: AUTHENTICATE EXTERNAL')
  })
})

describe('behind a proxy', () => {
  const login = async (header: string): Promise<string> => {
    const socket: Socket = connectTcp(server.ports.extra, '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    // Header and ClientHello leave together.
    socket.cork()
    socket.write(header, 'latin1')
    const secure = connectTls({ socket, ca: await readFile(server.certificate), servername: 'localhost' })
    setImmediate(() => socket.uncork())
    let heard = ''
    let sent = false
    secure.on('data', (chunk: Buffer) => {
      heard += chunk.toString()
      if (!sent && heard.startsWith('* OK')) {
        sent = true
        secure.write('a1 LOGIN alice secret\r\na2 LOGOUT\r\n')
      }
    })
    secure.on('error', () => undefined)
    socket.on('error', () => undefined)
    await new Promise((resolve) => socket.once('close', resolve))
    return heard
  }
  test('the address in the log, and for every rule, is the one that the proxy tells', async () => {
    expect(await login('PROXY TCP4 192.0.2.77 127.0.0.1 4711 993\r\n')).toContain('a1 OK')
    await expect.poll(() => server.log(), { timeout: 30_000 }).toContain('192.0.2.77')
  })
  test('a connection without the header is closed, with the reason in the log', async () => {
    expect(await login('')).toBe('')
    await expect.poll(() => server.log(), { timeout: 30_000 }).toMatch(/connection refused.*no PROXY header/)
  })
})

describe('the operator', () => {
  const mailwright = (args: readonly string[], input = ''): ReturnType<typeof run> => run(process.execPath, ['dist/core/main/cli.js', ...args, '--config', join(server.folder, 'mailwright.config.yaml')], { input })
  test('sees whom the guard keeps out, lets them in, and sees that they are in', async () => {
    const guess = (): ReturnType<typeof run> => run('curl', ['-sS', '-u', 'bob:x', `imap://localhost:${server.ports.imap}/`])
    for (let i = 0; i < 3; i++) await guess()
    expect((await run('curl', ['-sS', '-u', 'bob:secret', `imap://localhost:${server.ports.imap}/`])).code).toBe(67)
    expect((await mailwright(['blocks', 'list'])).stdout).toMatch(/slow\s+user bob\s+refuse\s+3 failed logins/)
    expect((await mailwright(['blocks', 'clear', 'bob'])).stdout).toContain('1 let in again')
    expect((await run('curl', ['-sS', '-u', 'bob:secret', `imap://localhost:${server.ports.imap}/`])).code).toBe(0)
    expect((await mailwright(['blocks', 'list'])).stdout).toContain('nobody is kept out')
  })
  test('is told by login-test which step fails (FAQ 7.4)', async () => {
    const right = await mailwright(['login-test', 'alice'], 'secret\n')
    expect(right.stdout, right.stderr).toMatch(/backend file: accepts, as "alice"\nbackend oauth2|backend file: accepts, as "alice"/)
    expect(right.code).toBe(0)
    const wrong = await mailwright(['login-test', 'alice'], 'x\n')
    expect([wrong.code, wrong.stdout]).toEqual([1, expect.stringContaining('backend file: wrong-password, which ends it')])
    const unknown = await mailwright(['login-test', 'zoe'], 'x\n')
    expect(unknown.stdout).toContain('backend file: unknown-user, the next is asked')
    expect(unknown.stdout).toContain('no backend knows the user')
    const acting = await mailwright(['login-test', 'bob*alice'], 'secret\n')
    expect(acting.stdout).toContain('no policy lets "alice" act for "bob"')
  })
  test('writes a password file that is damaged, and login-test says so', async () => {
    const path = join(server.folder, 'users.txt')
    const text = await readFile(path, 'utf8')
    await writeFile(path, `${text}carol:$1$nonsense\n`, { mode: 0o600 })
    const said = await mailwright(['login-test', 'carol'], 'x\n')
    expect(said.stdout).toContain('backend file: disabled, which ends it')
    expect(said.stderr).toContain('stored password cannot be checked')
    await writeFile(path, text, { mode: 0o600 })
  })
})
