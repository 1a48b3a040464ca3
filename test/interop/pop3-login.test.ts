import { createHash, createHmac, X509Certificate } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run, runOnTerminal, type Ran } from '../support/programs.js'
import { RawPop3, type SaslDialogue } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { digestMd5Response, otpPassword, scramClient } from '../support/sasl-clients.js'

const MECHANISMS = ['scram-sha-256-plus', 'scram-sha-256', 'scram-sha-1-plus', 'scram-sha-1', 'oauthbearer', 'xoauth2', 'otp', 'cram-md5', 'digest-md5', 'external', 'plain', 'login']
const SEED = 'ke1234'
const PASSPHRASE = 'a secret phrase'

let server: RunningServer
let token = ''
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  token = await new SignJWT({ email: 'alice' }).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).setExpirationTime('1h').setAudience('mail').setIssuer('https://id.example.org').sign(privateKey)
  server = await startServer({
    auth: `mechanisms: [${MECHANISMS.join(', ')}, apop, { use: anonymous, enableFile: false }]
schemes: [ { use: plain, allow: true } ]
passwords:
  - { use: otp, path: chains }
  - { use: file, path: users.txt, keep: [clear] }
  - { use: oauth2, jwksFile: keys.json, issuer: 'https://id.example.org', audience: [mail] }
  - { use: md5-database, path: md5.pwd }`,
    files: {
      'keys.json': JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }] }),
      chains: `bob:otp-md5 50 ${SEED} ${otpPassword('md5', PASSPHRASE, SEED, 50).toString('hex')}\n`,
      'md5.pwd': 'alice\tsecret\n',
    },
    tls: ', clientAuthority: authority.pem',
    prepare: async (folder) => {
      const openssl = (...args: readonly string[]): ReturnType<typeof run> => run('openssl', args, { cwd: folder })
      await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'authority.key', '-out', 'authority.pem', '-subj', '/CN=Test', '-days', '2')
      await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'client.key', '-out', 'client.csr', '-subj', '/CN=alice')
      await openssl('x509', '-req', '-in', 'client.csr', '-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-out', 'client.pem', '-days', '2')
    },
  })
})
afterAll(() => server?.remove())

const LINKS = [
  { link: 'plain', args: [], scheme: 'pop3', port: 'pop3' },
  { link: 'STLS', args: ['--ssl-reqd'], scheme: 'pop3', port: 'pop3' },
  { link: 'implicit TLS', args: [], scheme: 'pop3s', port: 'pop3s' },
] as const
type PopLink = (typeof LINKS)[number]

/** Runs a login of a mail program; alice came in by AUTH, or by the command that is named. */
async function logsIn(login: () => Promise<Ran>, by = 'Auth'): Promise<Ran> {
  const before = server.log().length
  const ran = await login()
  // The log comes through a pipe, which may be later than the client's end.
  await expect.poll(() => server.log().slice(before), { message: ran.stdout + ran.stderr, timeout: 20_000 }).toMatch(new RegExp(`${by} user=alice .*nmsgs=0/0`))
  return ran
}

/** A link of the test's own, with what a client knows of it. */
async function open({ link }: PopLink, certificate = false): Promise<{ readonly client: RawPop3; readonly secure: TLSSocket | undefined }> {
  const own = certificate ? { cert: await readFile(join(server.folder, 'client.pem')), key: await readFile(join(server.folder, 'client.key')) } : {}
  const trust = { ca: await readFile(server.certificate), ...own }
  if (link === 'implicit TLS') return RawPop3.openTls(server.ports.pop3s, trust)
  const client = await RawPop3.open(server.ports.pop3)
  return { client, secure: link === 'STLS' ? await client.stls(trust) : undefined }
}

const scram = (hash: 'sha1' | 'sha256', password: string, binding?: { readonly gs2: string; readonly channel: Uint8Array }): SaslDialogue => {
  const client = scramClient({ hash, user: 'alice', password, ...binding })
  let proof = ''
  return {
    initial: Buffer.from(client.first),
    answer(challenge) {
      if (proof === '') {
        const { text, serverSays } = client.final(challenge.toString())
        proof = serverSays
        return Buffer.from(text)
      }
      // The server proves in its turn that it knows the password.
      return challenge.toString() === proof ? Buffer.alloc(0) : undefined
    },
  }
}
const exporter = (secure: TLSSocket | undefined): { readonly gs2: string; readonly channel: Uint8Array } => ({
  gs2: 'p=tls-exporter,,',
  channel: secure?.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)) ?? Buffer.alloc(0),
})
const endPoint = (secure: TLSSocket | undefined): { readonly gs2: string; readonly channel: Uint8Array } => ({
  gs2: 'p=tls-server-end-point,,',
  channel: createHash('sha256').update(secure === undefined ? '' : new X509Certificate(secure.getPeerCertificate().raw).raw).digest(),
})
/** A dialogue in which the server asks for one line after the other. */
const lines = (...said: readonly string[]): SaslDialogue => {
  const left = [...said]
  return { answer: () => Buffer.from(left.shift() ?? '') }
}
const first = (text: string): SaslDialogue => ({ initial: Buffer.from(text), answer: () => Buffer.alloc(0) })

interface MechanismRow {
  readonly mechanism: string
  readonly user?: 'bob'
  /** Only under TLS. */
  readonly bound?: true
  /** Whether the client can be asked for its first octets. */
  readonly asks?: false
  client(password: string, secure: TLSSocket | undefined): SaslDialogue
}
const spoiled = (password: string): string => (password === 'secret' ? token : `${token.slice(0, -8)}AAAAAAAA`)
const rows: readonly MechanismRow[] = [
  { mechanism: 'PLAIN', client: (password) => first(`\0alice\0${password}`) },
  { mechanism: 'LOGIN', asks: false, client: (password) => lines('alice', password) },
  { mechanism: 'CRAM-MD5', asks: false, client: (password) => ({ answer: (challenge) => Buffer.from(`alice ${createHmac('md5', password).update(challenge).digest('hex')}`) }) },
  {
    mechanism: 'DIGEST-MD5',
    asks: false,
    client: (password) => {
      let proof = ''
      return {
        answer(challenge) {
          if (proof !== '') return challenge.toString() === proof ? Buffer.alloc(0) : undefined
          const { text, serverSays } = digestMd5Response(challenge.toString(), 'alice', password, {}, 'pop/localhost')
          proof = serverSays
          return Buffer.from(text)
        },
      }
    },
  },
  { mechanism: 'SCRAM-SHA-1', client: (password) => scram('sha1', password) },
  { mechanism: 'SCRAM-SHA-256', client: (password) => scram('sha256', password) },
  { mechanism: 'SCRAM-SHA-1-PLUS', bound: true, client: (password, secure) => scram('sha1', password, endPoint(secure)) },
  { mechanism: 'SCRAM-SHA-256-PLUS', bound: true, client: (password, secure) => scram('sha256', password, exporter(secure)) },
  { mechanism: 'OAUTHBEARER', client: (password) => first(`n,a=alice,\x01auth=Bearer ${spoiled(password)}\x01\x01`) },
  { mechanism: 'XOAUTH2', client: (password) => first(`user=alice\x01auth=Bearer ${spoiled(password)}\x01\x01`) },
  {
    mechanism: 'OTP',
    user: 'bob',
    client: (password) => ({
      initial: Buffer.from('\0bob'),
      answer(challenge) {
        const [, sequence = '', seed = ''] = /^otp-md5 (\d+) (\S+) ext$/.exec(challenge.toString()) ?? []
        return Buffer.from(`hex:${otpPassword('md5', password === 'secret' ? PASSPHRASE : password, seed, Number(sequence)).toString('hex')}`)
      },
    }),
  },
]

describe('every mechanism over POP3 (RFC 5034)', () => {
  test.each(rows.flatMap((row) => LINKS.filter(({ link }) => row.bound === undefined || link !== 'plain').map((link) => ({ ...row, ...link }))))('$mechanism, $link: who proves who they are come in, with and without an initial response', async (row) => {
    for (const asked of row.asks === false ? [true] : [false, true]) {
      const { client, secure } = await open(row)
      expect(await client.lines('CAPA')).toContainEqual(expect.stringMatching(new RegExp(`^SASL .*\\b${row.mechanism}(?: |$)`)))
      expect(await client.auth(row.mechanism, row.client('secret', secure), asked)).toBe('+OK Mailbox open, 0 messages')
      expect(await client.do('STAT')).toBe('+OK 0 0')
      expect(await client.quit()).toBe('+OK Sayonara')
    }
    const { client, secure } = await open(row)
    // The session goes on, and the right password is as good as before.
    expect(await client.auth(row.mechanism, row.client('wrong', secure))).toBe('-ERR [AUTH] Bad authentication')
    expect(await client.auth(row.mechanism, { initial: row.asks === false ? undefined : Buffer.alloc(0) })).toMatch(/^-ERR /)
    expect(await client.auth(row.mechanism, row.client('secret', secure))).toBe('+OK Mailbox open, 0 messages')
    await client.quit()
    expect(server.log()).toMatch(new RegExp(`Auth user=${row.user ?? 'alice'} `))
  })

  test.each(LINKS)('EXTERNAL, $link: only with a certificate', async (link) => {
    const without = await open(link)
    expect(await without.client.auth('EXTERNAL', first(''))).toBe('-ERR Bad authentication')
    without.client.drop()
    if (link.link === 'plain') return
    const { client } = await open(link, true)
    expect(await client.lines('CAPA')).toContainEqual(expect.stringMatching(/^SASL .*\bEXTERNAL\b/))
    expect(await client.auth('EXTERNAL', first(''))).toBe('+OK Mailbox open, 0 messages')
    await client.quit()
  })

  test.each(LINKS)('ANONYMOUS, $link: a maildrop is for one who may change it, so nobody is let in by it, nor is it offered', async (link) => {
    const { client } = await open(link)
    expect((await client.lines('CAPA')).filter((line) => line.includes('ANONYMOUS'))).toEqual([])
    expect(await client.auth('ANONYMOUS', first('guest'))).toBe('-ERR Bad authentication')
    expect(await client.enter('anonymous', 'guest')).toBe('-ERR [AUTH] Bad login')
    client.drop()
  })

  test('a one-time password is good for one session', async () => {
    const heard: Buffer[] = []
    const answer = (challenge: Buffer): Buffer => {
      const [, sequence = '', seed = ''] = /^otp-md5 (\d+) (\S+) ext$/.exec(challenge.toString()) ?? []
      heard.push(Buffer.from(`hex:${otpPassword('md5', PASSPHRASE, seed, Number(sequence)).toString('hex')}`))
      return heard.at(-1) ?? Buffer.alloc(0)
    }
    const { client } = await open(LINKS[0])
    expect(await client.auth('OTP', { initial: Buffer.from('\0bob'), answer })).toMatch(/^\+OK/)
    await client.quit()
    const again = await open(LINKS[0])
    expect(await again.client.auth('OTP', { initial: Buffer.from('\0bob'), answer: () => heard[0] })).toBe('-ERR [AUTH] Bad authentication')
    again.client.drop()
  })

  test('CAPA and AUTH list what can be used on the link, and change with it', async () => {
    const listed = async (link: PopLink, certificate = false): Promise<readonly (readonly string[])[]> => {
      const { client } = await open(link, certificate)
      const sasl = (await client.lines('CAPA')).find((line) => line.startsWith('SASL '))?.split(' ').slice(1) ?? []
      const plain = await client.lines('AUTH')
      client.drop()
      return [sasl.toSorted(), plain.toSorted()]
    }
    const names = MECHANISMS.map((name) => name.toUpperCase()).toSorted()
    const [plain, stls, tls] = LINKS
    const without = (pattern: RegExp): string[] => names.filter((name) => !pattern.test(name))
    for (const list of await listed(plain)) expect(list).toEqual(without(/-PLUS$|EXTERNAL/))
    for (const link of [stls, tls]) {
      for (const list of await listed(link)) expect(list).toEqual(without(/EXTERNAL/))
      for (const list of await listed(link, true)) expect(list).toEqual(names)
    }
  })
})

describe.skipIf(!has('curl'))('curl', () => {
  const curl = (mechanism: string, link: PopLink, more: readonly string[]): ReturnType<typeof run> =>
    run('curl', ['-v', '-sS', '--cacert', server.certificate, ...link.args, '--login-options', `AUTH=${mechanism}`, ...more, `${link.scheme}://localhost:${server.ports[link.port]}/`])

  test.each(LINKS.flatMap((link) => ['PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5'].map((mechanism) => ({ ...link, mechanism }))))('$mechanism, $link', async ({ mechanism, ...link }) => {
    expect((await logsIn(() => curl(mechanism, link, ['-u', 'alice:secret']))).stderr).toContain(`> AUTH ${mechanism}`)
    expect((await curl(mechanism, link, ['-u', 'alice:wrong'])).code).toBe(67)
  })
  test.each(LINKS)('APOP, $link', async (link) => {
    expect((await logsIn(() => curl('+APOP', link, ['-u', 'alice:secret']), 'APOP')).stderr).toContain('> APOP alice')
    expect((await curl('+APOP', link, ['-u', 'alice:wrong'])).code).toBe(67)
  })
  test.each(LINKS.filter(({ link }) => link !== 'plain'))('EXTERNAL with a certificate, $link', async (link) => {
    const certificate = ['--cert', `${server.folder}/client.pem`, '--key', `${server.folder}/client.key`]
    expect((await logsIn(() => curl('EXTERNAL', link, [...certificate, '-u', 'alice:']))).stderr).toContain('> AUTH EXTERNAL')
    expect((await curl('EXTERNAL', link, ['-u', 'alice:'])).code).not.toBe(0)
  })
  test.each(LINKS)('OAUTHBEARER with a signed token, $link', async (link) => {
    const mechanism = 'OAUTHBEARER'
    expect((await logsIn(() => curl(mechanism, link, ['--oauth2-bearer', token, '-u', 'alice:']))).stderr).toContain(`> AUTH ${mechanism}`)
    expect((await curl(mechanism, link, ['--oauth2-bearer', `${token.slice(0, -8)}AAAAAAAA`, '-u', 'alice:'])).code).toBe(67)
  })
})

describe.skipIf(!has('mpop'))('mpop (GNU SASL)', () => {
  const tls = { plain: ['--tls=off'], STLS: ['--tls=on', '--tls-starttls=on'], 'implicit TLS': ['--tls=on', '--tls-starttls=off'] }
  const mpop = async (method: string, { link, port }: PopLink, password: string): Promise<Ran> => {
    const ids = join(server.folder, 'mpop-ids')
    await rm(ids, { force: true })
    return run('mpop', [
      '--debug', '--host=localhost', `--port=${server.ports[port]}`, '--user=alice', `--passwordeval=echo ${password}`, `--auth=${method}`, ...tls[link],
      ...(link === 'plain' ? [] : [`--tls-trust-file=${server.certificate}`]), `--uidls-file=${ids}`, `--delivery=mbox,${join(server.folder, 'mpop-box')}`,
    ], { env: { HOME: server.folder } })
  }
  const methods = [
    { method: 'scram-sha-1' }, { method: 'scram-sha-256' }, { method: 'cram-md5' }, { method: 'digest-md5' }, { method: 'login' }, { method: 'plain' }, { method: 'xoauth2' }, { method: 'oauthbearer' },
    { method: 'apop', by: 'APOP', command: 'APOP alice' }, { method: 'user', by: 'Login', command: 'USER alice' },
  ]
  test.each(LINKS.flatMap((link) => methods.map((method) => ({ by: 'Auth', command: `AUTH ${method.method.toUpperCase()}`, ...method, ...link }))))('$method, $link', async ({ method, by, command, ...link }) => {
    const isToken = method.includes('oauth') || method === 'oauthbearer'
    const ran = await logsIn(() => mpop(method, link, isToken ? token : 'secret'), by)
    expect(ran.stdout).toContain(`--> ${command}`)
    expect((await mpop(method, link, 'wrong')).code).toBe(77)
  })
})

describe.skipIf(!has('mutt') || !has('script'))('mutt (GNU SASL)', () => {
  const options = {
    plain: 'set ssl_starttls=no; set ssl_force_tls=no',
    STLS: 'set ssl_starttls=yes; set ssl_force_tls=yes',
    'implicit TLS': 'set ssl_starttls=no; set ssl_force_tls=yes',
  }
  const methods = [
    { method: 'plain' }, { method: 'login' }, { method: 'cram-md5' }, { method: 'digest-md5' }, { method: 'scram-sha-1' }, { method: 'scram-sha-256' },
    { method: 'apop', by: 'APOP' }, { method: 'user', by: 'Login' },
  ]
  test.each(LINKS.flatMap((link) => methods.map((method) => ({ by: 'Auth', ...method, ...link }))))('$method, $link', async ({ method, by, link, scheme, port }) => {
    const rc = join(server.folder, 'muttrc')
    const url = `${scheme === 'pop3' ? 'pop' : 'pops'}://alice@localhost:${server.ports[port]}/`
    await writeFile(rc, [
      'set pop_pass=secret', `set pop_authenticators=${method}`, ...options[link].split('; '), `set certificate_file=${server.certificate}`, 'set ssl_verify_host=no', 'set quit=yes', `set folder=${server.folder}`,
      'set sleep_time=0', 'set timeout=1', 'set wait_key=no', 'set header_cache=', 'set message_cachedir=',
    ].join('\n'))
    expect(await logsIn(() => runOnTerminal('mutt', ['-n', '-F', rc, '-f', url, '-e', 'push <quit>'], { env: { HOME: server.folder } }), by)).toMatchObject({ code: 0 })
  })
})

describe.skipIf(!has('fetchmail'))('fetchmail', () => {
  const options = { plain: "sslproto ''", STLS: 'sslproto TLS1+ sslcertck sslcertfile CERT', 'implicit TLS': 'ssl sslcertck sslcertfile CERT' }
  const methods = [
    { protocol: 'APOP', auth: '', by: 'APOP' },
    { protocol: 'POP3', auth: 'auth cram-md5', by: 'Auth' },
    { protocol: 'POP3', auth: 'auth password', by: 'Login' },
  ]
  test.each(LINKS.flatMap((link) => methods.map((method) => ({ ...method, ...link }))))('$protocol $auth, $link', async ({ protocol, auth, by, link, port }) => {
    const rc = join(server.folder, 'fetchmailrc')
    await writeFile(rc, `poll localhost protocol ${protocol} port ${server.ports[port]} ${auth} username 'alice' password 'secret' ${options[link].replace('CERT', server.certificate)} mda "cat >/dev/null"\n`, { mode: 0o600 })
    const ran = await logsIn(() => run('fetchmail', ['-v', '-f', rc, '--nosyslog', '--pidfile', join(server.folder, 'fetchmail.pid')], { env: { HOME: server.folder, FETCHMAILHOME: server.folder } }), by)
    // There is no mail.
    expect(ran.code, ran.stdout + ran.stderr).toBe(1)
  })
})
