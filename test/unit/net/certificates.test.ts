import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { X509Certificate } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { secret } from '../../../core/api/index.js'
import { CertificateFiles } from '../../../core/net/tls/certificate-files.js'
import { TlsContexts } from '../../../core/net/tls/contexts.js'
import { makeSelfSigned, SelfSignedCertificate } from '../../../core/net/tls/self-signed.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-tls-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('a self-signed certificate', () => {
  test('is made once, for all names, with a key that nobody else can read', async () => {
    const names = ['localhost', 'mail.example.org', '127.0.0.1', '::1']
    const source = new SelfSignedCertificate(join(folder, 'tls'), names)
    const found = await source.find()
    const certificate = new X509Certificate(found.chain)
    expect(certificate.checkHost('localhost')).toBe('localhost')
    expect(certificate.checkHost('mail.example.org')).toBe('mail.example.org')
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(certificate.checkIP('::1')).toBe('::1')
    expect(certificate.checkHost('other.example.org')).toBeUndefined()
    expect((await stat(source.path)).mode & 0o777).toBe(0o600)
    expect(String(found.key)).toBe('[secret]')
    expect((await new SelfSignedCertificate(join(folder, 'tls'), names).find()).chain).toBe(found.chain)
    expect(await readdir(join(folder, 'tls'))).toHaveLength(1)
  })
  test('is made anew when it lacks a name or has ended', async () => {
    const first = await new SelfSignedCertificate(folder, ['localhost']).find()
    const wider = await new SelfSignedCertificate(folder, ['localhost', 'mail.example.org']).find()
    expect(wider.chain).not.toBe(first.chain)
    const later = await new SelfSignedCertificate(folder, ['localhost'], () => Date.now() + 11 * 365 * 86_400_000).find()
    expect(later.chain).not.toBe(wider.chain)
  })
  test('of two servers that start at once both use the same', async () => {
    const both = await Promise.all([new SelfSignedCertificate(folder, ['localhost']).find(), new SelfSignedCertificate(folder, ['localhost']).find()])
    expect(both[0].chain).toBe(both[1].chain)
  })
})

describe('certificate files', () => {
  async function write(names: readonly string[]): Promise<{ certificate: string; key: string }> {
    const made = await makeSelfSigned(names, new Date())
    await writeFile(join(folder, 'cert.pem'), made.certificate)
    await writeFile(join(folder, 'key.pem'), made.key)
    return made
  }
  function source(now: () => number, warnings: string[] = []): CertificateFiles {
    return new CertificateFiles({
      certificate: join(folder, 'cert.pem'),
      key: async () => secret(await readFile(join(folder, 'key.pem'))),
      keyFile: join(folder, 'key.pem'),
      warn: (message) => void warnings.push(message),
      now,
    })
  }

  test('renewed files take effect, and the context is made once per certificate', async () => {
    let now = 0
    const first = await write(['a.example.org'])
    const files = source(() => now)
    const contexts = new TlsContexts({ sources: [files], minVersion: 'TLSv1.2' })
    const before = await contexts.find(undefined, '127.0.0.1')
    expect(await contexts.find(undefined, '127.0.0.1')).toBe(before)
    expect((await files.find())?.chain).toBe(first.certificate)
    const second = await write(['b.example.org'])
    expect((await files.find())?.chain).toBe(first.certificate)
    now += 10_000
    expect((await files.find())?.chain).toBe(second.certificate)
    expect((await contexts.find(undefined, '127.0.0.1'))?.certificate.checkHost('b.example.org')).toBe('b.example.org')
  })
  test('a pair that does not fit together is refused at the start and ignored later', async () => {
    let now = 0
    const warnings: string[] = []
    const first = await write(['a.example.org'])
    const files = source(() => now, warnings)
    expect((await files.find())?.chain).toBe(first.certificate)
    await writeFile(join(folder, 'cert.pem'), (await makeSelfSigned(['b.example.org'], new Date())).certificate)
    now += 10_000
    expect((await files.find())?.chain).toBe(first.certificate)
    expect(warnings).toHaveLength(1)
    await expect(source(() => 0).find()).rejects.toThrow('the key does not belong to the certificate')
  })
  test('a missing file is told', async () => {
    await expect(source(() => 0).find()).rejects.toThrow('ENOENT')
  })
})
