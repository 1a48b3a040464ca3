import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { giveAlpinePassword } from '../support/alpine.js'
import { has, hasPython, run, runOnTerminal, type Ran } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { Screen } from '../support/screen.js'

/** Ways of a connection to a server. */
type Link = 'in clear' | 'STARTTLS' | 'implicit TLS'
interface Login {
  readonly mechanism: string
  readonly link: Link
}
/** A program, with what it knows and how it is told to do it. */
interface Client {
  readonly name: string
  readonly there: boolean
  readonly links: readonly Link[]
  readonly mechanisms: readonly string[]
  /** Logs in and out. */
  login(how: Login): Promise<Partial<Ran>>
}

let server: RunningServer
let token = ''
let own = ''
const IMTEST = '/usr/lib/cyrus/bin/imtest'
const EVERY: readonly Link[] = ['in clear', 'STARTTLS', 'implicit TLS']
const portOf = (link: Link): number => (link === 'implicit TLS' ? server.ports.imaps : server.ports.imap)
const bearer = (mechanism: string): boolean => mechanism === 'OAUTHBEARER' || mechanism === 'XOAUTH2'

const clients: readonly Client[] = [
  {
    // Where OAUTHBEARER is offered it takes that for XOAUTH2 too.
    name: 'curl', there: has('curl'), links: EVERY, mechanisms: ['PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5', 'OAUTHBEARER'],
    login: ({ mechanism, link }) =>
      run('curl', ['-sS', '--cacert', server.certificate, ...(link === 'STARTTLS' ? ['--ssl-reqd'] : []), '--login-options', `AUTH=${mechanism}`, ...(bearer(mechanism) ? ['--oauth2-bearer', token, '-u', 'alice:'] : ['-u', 'alice:secret']), `${link === 'implicit TLS' ? 'imaps' : 'imap'}://localhost:${portOf(link)}/`]),
  },
  {
    // It knows no implicit TLS.
    name: 'gsasl', there: has('gsasl'), links: ['in clear', 'STARTTLS'], mechanisms: ['PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256'],
    login: ({ mechanism, link }) =>
      run('gsasl', [
        '--client', '--imap', '--connect', `localhost:${portOf(link)}`, '--mechanism', mechanism, '--authentication-id', 'alice', '--password', 'secret', '--quiet',
        ...(link === 'STARTTLS' ? ['--starttls', '--x509-ca-file', server.certificate, '--no-cb'] : ['--no-starttls']),
        ...(mechanism === 'DIGEST-MD5' ? ['--service', 'imap', '--hostname', 'localhost', '--realm', 'localhost', '--quality-of-protection', 'qop-auth'] : []),
      ], { input: '. LOGOUT\r\n' }),
  },
  {
    name: 'gsasl with channel binding', there: has('gsasl'), links: ['STARTTLS'], mechanisms: ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS'],
    login: ({ mechanism }) =>
      run('gsasl', ['--client', '--imap', '--connect', `localhost:${server.ports.imap}`, '--mechanism', mechanism, '--authentication-id', 'alice', '--password', 'secret', '--quiet', '--starttls', '--x509-ca-file', server.certificate], { input: '. LOGOUT\r\n' }),
  },
  {
    // Its LOGIN is the command.
    name: 'imtest', there: existsSync(IMTEST), links: EVERY, mechanisms: ['PLAIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256'],
    login: ({ mechanism, link }) =>
      run(IMTEST, ['-m', mechanism, '-u', 'alice', '-a', 'alice', '-w', 'secret', '-r', 'localhost', ...(link === 'STARTTLS' ? ['-t', ''] : link === 'implicit TLS' ? ['-s'] : []), '-p', String(portOf(link)), 'localhost'], { input: 'Z LOGOUT\r\n' }),
  },
  {
    name: 'mutt', there: has('mutt'), links: EVERY, mechanisms: ['PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256'],
    login: ({ mechanism, link }) => {
      const place = `${link === 'implicit TLS' ? 'imaps' : 'imap'}://localhost:${portOf(link)}/`
      const settings = [`imap_authenticators=${mechanism.toLowerCase()}`, `ssl_starttls=${link === 'STARTTLS' ? 'yes' : 'no'}`, `ssl_force_tls=${link === 'in clear' ? 'no' : 'yes'}`, 'ssl_verify_host=no', `certificate_file=${server.certificate}`, 'imap_user=alice', 'imap_pass=secret', `folder=${place}`]
      return runOnTerminal('mutt', ['-n', '-F', '/dev/null', '-e', `${settings.map((s) => `set ${s}`).join('; ')}; push <quit>`, '-f', `${place}INBOX`])
    },
  },
  {
    name: 'imaplib', there: hasPython('imaplib'), links: EVERY, mechanisms: ['PLAIN', 'CRAM-MD5', 'XOAUTH2'],
    login({ mechanism, link }) {
      const open = link === 'implicit TLS' ? `imaplib.IMAP4_SSL('localhost', ${server.ports.imaps}, ssl_context=context)` : `imaplib.IMAP4('localhost', ${server.ports.imap})`
      const tls = link === 'STARTTLS' ? 'm.starttls(context)\n' : ''
      const how: Readonly<Record<string, string>> = {
        PLAIN: `m.authenticate('PLAIN', lambda _: b'\\0alice\\0secret')`,
        'CRAM-MD5': `m.login_cram_md5('alice', 'secret')`,
        XOAUTH2: `m.authenticate('XOAUTH2', lambda _: b'user=alice\\x01auth=Bearer ${token}\\x01\\x01')`,
      }
      return run('python3', ['-c', `import imaplib, ssl\ncontext = ssl.create_default_context(cafile='${server.certificate}')\nm = ${open}\n${tls}${how[mechanism] ?? ''}\nm.logout()`])
    },
  },
  {
    name: 'imapflow', there: true, links: EVERY, mechanisms: ['PLAIN', 'LOGIN', 'OAUTHBEARER'],
    async login({ mechanism, link }) {
      const { ImapFlow } = await import('imapflow')
      const auth = bearer(mechanism) ? { user: 'alice', accessToken: token } : { user: 'alice', pass: 'secret', loginMethod: `AUTH=${mechanism}` }
      const options = { host: 'localhost', port: portOf(link), secure: link === 'implicit TLS', doSTARTTLS: link === 'STARTTLS', auth, logger: false, tls: { ca: await readFile(server.certificate) } } as ConstructorParameters<typeof ImapFlow>[0]
      const client = new ImapFlow(options)
      await client.connect()
      await client.logout()
      return {}
    },
  },
  {
    name: 'alpine', there: has('alpine') && has('tmux'), links: EVERY, mechanisms: ['PLAIN', 'LOGIN', 'CRAM-MD5'],
    async login({ mechanism, link }) {
      const options: Readonly<Record<Link, string>> = { 'in clear': '/notls', STARTTLS: '/tls/novalidate-cert', 'implicit TLS': '/ssl/novalidate-cert' }
      const others = ['CRAM-MD5', 'PLAIN', 'LOGIN', 'OAUTHBEARER', 'XOAUTH2'].filter((other) => other !== mechanism)
      const rc = join(own, `pinerc-${mechanism}`)
      await writeFile(rc, `inbox-path={localhost:${portOf(link)}${options[link]}/user=alice}INBOX\ndisable-these-authenticators=${others.join(',')}\nfeature-list=quit-without-confirm\nlast-version-used=99.9\nuser-domain=example.org\nsmtp-server=\nnntp-server=\n`)
      const screen = await Screen.open('alpine', ['-p', rc, '-i', '-d', '0'], { HOME: own })
      try {
        await giveAlpinePassword(screen)
        await screen.shows('Folder: INBOX')
        await screen.type('q')
        const { code, text } = await screen.ended()
        return { code, stdout: text }
      } finally {
        await screen.close()
      }
    },
  },
]

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  token = await new SignJWT({ email: 'alice' }).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).setExpirationTime('1h').setAudience('mail').setIssuer('https://id.example.org').sign(privateKey)
  own = await mkdtemp(join(tmpdir(), 'mailwright-clients-'))
  server = await startServer({
    auth: `mechanisms: [scram-sha-256-plus, scram-sha-256, scram-sha-1-plus, scram-sha-1, oauthbearer, xoauth2, cram-md5, digest-md5, plain, login]
schemes: [ { use: plain, allow: true }, scrypt ]
passwords:
  - { use: file, path: users.txt, keep: [clear] }
  - { use: oauth2, jwksFile: keys.json, issuer: 'https://id.example.org', audience: [mail] }`,
    files: { 'keys.json': JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }] }) },
  })
})
afterAll(async () => {
  await server?.remove()
  await rm(own, { recursive: true, force: true })
})

for (const { name, there, links, mechanisms, login } of clients) {
  describe.skipIf(!there)(`${name}`, () => {
    test.each(mechanisms.flatMap((mechanism) => links.map((link) => ({ mechanism, link }))))('$mechanism, $link', { timeout: 120_000 }, async (how) => {
      const before = server.log().length
      const ran = await login(how).catch((error: unknown) => {
        throw new Error(`the log since then:\n${server.log().slice(before)}`, { cause: error })
      })
      // The log comes through a pipe, which may be later than the client's end.
      const line = new RegExp(`Authenticated user=alice .*mech=${how.mechanism}$`, 'm')
      await expect.poll(() => server.log().slice(before), { message: `${ran.stdout ?? ''}\n${ran.stderr ?? ''}`, timeout: 30_000 }).toMatch(line)
    })
  })
}
