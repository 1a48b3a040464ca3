import { X509Certificate } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createServer, type EmbeddedServer } from '../../core/main/index.js'
import { CertificateStatus } from '../../core/net/tls/certificate-status.js'
import { has, run, type Ran } from '../support/programs.js'

const MONTH_MS = 30 * 86_400_000

describe.skipIf(!has('openssl'))('TLS as openssl sees it', () => {
  /** An authority, and certificates of it for localhost with keys of both types. */
  let store: string
  let folder: string
  let server: EmbeddedServer | undefined

  async function openssl(...args: readonly string[]): Promise<Ran> {
    const ran = await run('openssl', args, { cwd: store })
    if (ran.code !== 0) throw new Error(`openssl ${args.join(' ')}\n${ran.stderr}`)
    return ran
  }
  const named = ['-days', '30', '-nodes', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  /** The authority says that ec.pem is good, for so many minutes from now on. */
  async function answer(file: string, minutes: number): Promise<void> {
    await openssl('ocsp', '-issuer', 'ca.pem', '-cert', 'ec.pem', '-no_nonce', '-reqout', 'request.der')
    const serial = (await openssl('x509', '-in', 'ec.pem', '-noout', '-serial')).stdout.trim().slice('serial='.length)
    const ends = `${new Date(Date.now() + MONTH_MS).toISOString().replaceAll(/\D/g, '').slice(2, 14)}Z`
    await writeFile(join(store, 'index.txt'), `V\t${ends}\t\t${serial}\tunknown\t/CN=localhost\n`)
    const authority = ['-index', 'index.txt', '-CA', 'ca.pem', '-rsigner', 'ca.pem', '-rkey', 'ca.key']
    await openssl('ocsp', ...authority, '-reqin', 'request.der', '-respout', file, '-nmin', String(minutes))
  }

  beforeAll(async () => {
    store = await mkdtemp(join(tmpdir(), 'mailwright-authority-'))
    await openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-nodes', '-subj', '/CN=Authority')
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', 'basicConstraints=CA:FALSE']
    await openssl('req', '-x509', ...ec, '-keyout', 'ec.key', '-out', 'ec.pem', ...named, ...signed)
    await openssl('req', '-x509', '-newkey', 'rsa:2048', '-keyout', 'rsa.key', '-out', 'rsa.pem', ...named, ...signed)
  })
  afterAll(() => rm(store, { recursive: true, force: true }))
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-tls-'))
    await mkdir(join(folder, 'mail'))
  })
  afterEach(async () => {
    await server?.stop()
    server = undefined
    await rm(folder, { recursive: true, force: true })
  })

  /** Starts a server with these `tls` settings; the answer is its port. */
  async function serve(tls: object, address = '127.0.0.1'): Promise<number> {
    await writeFile(join(folder, 'users'), 'alice:{PLAIN}secret\n', { mode: 0o600 })
    server = createServer(
      {
        version: 1,
        server: { name: 'localhost', runDirectory: join(folder, 'run') },
        log: [{ use: 'stderr', level: 'error' }],
        listeners: { imaps: { protocol: 'imap4', address, port: 0, tls: 'implicit' } },
        hosts: { default: { tls, auth: { passwords: [{ use: 'file', path: 'users' }], users: [{ use: 'virtual', home: join(folder, 'mail/{user}') }] } } },
      },
      { folder },
    )
    await server.start()
    const [{ port } = { port: 0 }] = server.addresses
    return port
  }
  const pair = (type: 'ec' | 'rsa'): { certificate: string; key: { file: string } } => ({ certificate: join(store, `${type}.pem`), key: { file: join(store, `${type}.key`) } })
  /** One connection; `openssl s_client` leaves at the end of its input, which is our LOGOUT. */
  const client = (port: number, ...args: readonly string[]): Promise<Ran> =>
    run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', join(store, 'ca.pem'), '-crlf', '-ign_eof', ...args], { input: 'a logout\n', cwd: folder })

  test('certificates of both key types: what the client can decides', async () => {
    const port = await serve({ ...pair('ec'), also: [pair('rsa')] })
    for (const version of ['-tls1_2', '-tls1_3']) {
      const modern = await client(port, version, '-sigalgs', 'ECDSA+SHA256')
      expect(modern.stdout).toMatch(/Peer signature type: ECDSA/)
      expect(modern.stdout).toContain('Verify return code: 0 (ok)')
      const old = await client(port, version, '-sigalgs', 'RSA+SHA256:RSA-PSS+SHA256')
      expect(old.stdout).toMatch(/Peer signature type: RSA/)
      expect(old.stdout).toContain('* BYE')
    }
  })
  test('two keys of one type are refused at the start, and the setting is named', async () => {
    await expect(serve({ ...pair('ec'), also: [pair('ec')] })).rejects.toThrow(/hosts\.default\.tls.*two of the certificates have keys of the type "ec"/s)
  })
  test('what the authority says is shown to those who ask, as long as it holds', async () => {
    const status = join(folder, 'status.der')
    await answer(status, 720)
    const port = await serve({ ...pair('ec'), status })
    const asked = await client(port, '-status')
    expect(asked.stdout).toContain('OCSP Response Status: successful')
    expect(asked.stdout).toContain('Cert Status: good')
    const named = await client(port, '-status', '-servername', 'localhost')
    expect(named.stdout).toContain('Cert Status: good')
    expect((await client(port)).stdout).not.toContain('OCSP Response')
  })
  test('an answer that ends within minutes is not shown', async () => {
    const status = join(folder, 'status.der')
    await answer(status, 2)
    const port = await serve({ ...pair('ec'), status })
    expect((await client(port, '-status')).stdout).toContain('OCSP response: no response sent')
  })
  test('after a renewal of the certificate the answer about the one before is not shown', async () => {
    const status = join(folder, 'status.der')
    await answer(status, 720)
    const port = await serve({ ...pair('rsa'), status })
    const asked = await client(port, '-status')
    expect(asked.stdout).toContain('OCSP response: no response sent')
    expect(asked.stdout).toContain('* BYE')
  })
  test('why an answer is not shown is said once, and again when it is another reason', async () => {
    const path = join(folder, 'status.der')
    const said: string[] = []
    let now = Date.now()
    const status = new CertificateStatus(path, (message, cause) => void said.push(`${message}: ${String(cause)}`), () => now)
    const serial = new X509Certificate(await readFile(join(store, 'ec.pem'))).serialNumber
    await status.find(serial)
    await status.find(serial)
    expect(said).toHaveLength(1)
    expect(said[0]).toContain(`the OCSP response ${path} is not shown: Error: ENOENT`)
    await answer(path, 60)
    now += 10_000
    expect(await status.find(serial)).toBeInstanceOf(Uint8Array)
    await status.find('12ab')
    now += 3_600_000
    await status.find(serial)
    await status.find(serial)
    expect(said.slice(1)).toEqual([expect.stringContaining('not about 12ab'), expect.stringMatching(/it ends at \d{4}-/)])
  })
  test('rubbish in place of an answer leaves TLS as it is', async () => {
    const status = join(folder, 'status.der')
    await writeFile(status, 'no answer')
    const port = await serve({ ...pair('ec'), status })
    const asked = await client(port, '-status')
    expect(asked.stdout).toContain('OCSP response: no response sent')
    expect(asked.stdout).toContain('* BYE')
  })
  test('a folder of certificates by address: its own name first, then the one for all', async () => {
    const certificates = join(folder, 'certs')
    const keys = join(folder, 'keys')
    await mkdir(certificates)
    await mkdir(keys)
    await copyFile(join(store, 'rsa.pem'), join(certificates, 'imapd.pem'))
    await copyFile(join(store, 'rsa.key'), join(keys, 'imapd.pem'))
    await copyFile(join(store, 'ec.pem'), join(certificates, 'imapd-127.0.0.2.pem'))
    await copyFile(join(store, 'ec.key'), join(keys, 'imapd-127.0.0.2.pem'))
    const port = await serve({ byAddress: certificates, byAddressKeys: keys }, '0.0.0.0')
    expect((await client(port)).stdout).toMatch(/Peer signature type: RSA/)
    const second = await run('openssl', ['s_client', '-connect', `127.0.0.2:${port}`, '-crlf', '-ign_eof'], { input: 'a logout\n' })
    expect(second.stdout).toMatch(/Peer signature type: ECDSA/)
  })
  test('versions, suites and groups are those that the settings name', async () => {
    const port = await serve({ ...pair('ec'), maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', curves: 'P-384' })
    expect((await client(port, '-tls1_3')).stdout).not.toContain('* BYE')
    expect((await client(port, '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256')).stdout).not.toContain('* BYE')
    expect((await client(port, '-groups', 'P-256')).stdout).not.toContain('* BYE')
    const fits = await client(port)
    expect(fits.stdout).toContain('Cipher is ECDHE-ECDSA-AES256-GCM-SHA384')
    expect(fits.stdout).toContain('Server Temp Key: ECDH, secp384r1')
  })
  test.each([
    ['ciphers', 'NO-SUCH-SUITE'],
    ['curves', 'P-999'],
  ])('%s that do not exist are refused at the start, and named', async (setting, value) => {
    await expect(serve({ ...pair('ec'), [setting]: value })).rejects.toThrow(`hosts.default.tls: the certificate cannot be used: ${setting} "${value}"`)
  })
  test.each([
    ['TLSv1.2', true],
    ['TLSv1.3', true],
    ['TLSv1.2', false],
    ['TLSv1.3', false],
  ] as const)('a session of %s is taken up again: %s', async (version, tickets) => {
    const port = await serve({ ...pair('ec'), clientAuthority: join(store, 'ca.pem'), tickets })
    const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'
    const kept = join(folder, 'session')
    const first = await client(port, flag, '-sess_out', kept)
    expect(first.stdout).toContain('New, TLSv1')
    const second = await client(port, flag, '-sess_in', kept)
    expect(second.stdout).toContain(tickets ? 'Reused, TLSv1' : 'New, TLSv1')
    expect(second.stdout).toContain('* BYE')
  })
})
