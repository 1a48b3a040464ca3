import { createHmac } from 'node:crypto'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { PASSWORD, type SaslMechanism } from 'mailwright/api'
import { describeSaslMechanism } from 'mailwright/testing'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { words } from '../support/auth.js'
import { packedSite, type PackedSite } from '../support/packed-site.js'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const source = join(project, 'plugins/contrib/ntlm')
// A package of its own, without types.
const { createNtlm } = (await import(pathToFileURL(join(source, 'lib/ntlm.js')).href)) as { createNtlm(random: (octets: number) => Uint8Array): SaslMechanism }
const { md4, ntHash } = (await import(pathToFileURL(join(source, 'lib/md4.js')).href)) as { md4(octets: Uint8Array): Buffer; ntHash(password: string): Buffer }

describe('MD4 (RFC 1320)', () => {
  test.each([
    { text: '', hex: '31d6cfe0d16ae931b73c59d7e0c089c0' },
    { text: 'a', hex: 'bde52cb31de33e46245e05fbdbd6fb24' },
    { text: 'message digest', hex: 'd9130a8164549fe818874806e1c7014b' },
    { text: '12345678901234567890123456789012345678901234567890123456789012345678901234567890', hex: 'e33b4ddc9c38f2199c3e7b164fcc0536' },
  ])('$text', ({ text, hex }) => expect(md4(Buffer.from(text)).toString('hex')).toBe(hex))
})

/** A client of version 2. */
function type3(challenge: Uint8Array, user: string, secret: string): Buffer {
  const message = Buffer.from(challenge)
  const info = message.subarray(message.readUInt32LE(44), message.readUInt32LE(44) + message.readUInt16LE(40))
  const blob = Buffer.concat([Buffer.from('0101000000000000', 'hex'), Buffer.alloc(8), randomBytes(8), Buffer.alloc(4), info, Buffer.alloc(4)])
  const key = createHmac('md5', ntHash(secret)).update(Buffer.from(`${user.toUpperCase()}DOMAIN`, 'utf16le')).digest()
  const nt = Buffer.concat([createHmac('md5', key).update(message.subarray(24, 32)).update(blob).digest(), blob])
  const parts = [Buffer.alloc(24), nt, Buffer.from('DOMAIN', 'utf16le'), Buffer.from(user, 'utf16le'), Buffer.alloc(0), Buffer.alloc(0)]
  const head = Buffer.alloc(64)
  head.write('NTLMSSP\0', 'latin1')
  head.writeUInt32LE(3, 8)
  let from = 64
  for (const [i, part] of parts.entries()) {
    head.writeUInt16LE(part.length, 12 + i * 8)
    head.writeUInt16LE(part.length, 14 + i * 8)
    head.writeUInt32LE(from, 16 + i * 8)
    from += part.length
  }
  head.writeUInt32LE(1, 60)
  return Buffer.concat([head, ...parts])
}
describeSaslMechanism('NTLM, of a package of its own', () => ({
  about: { name: 'NTLM', exposesPassword: false, verifiesBy: [], worksWith: [PASSWORD], offered: () => true },
  create: () => createNtlm((n) => randomBytes(n)),
  credential: (kind, secret) => (kind.id === PASSWORD.id ? kind.codec.decode(PASSWORD.codec.encode(words(secret))) : undefined),
  noAuthzid: true,
  client: ({ user, secret }) => {
    const negotiate = Buffer.alloc(32)
    negotiate.write('NTLMSSP\0', 'latin1')
    negotiate.writeUInt32LE(1, 8)
    return { initial: negotiate, answer: (challenge) => type3(challenge, user, secret) }
  },
}))

const features = has('curl') ? (await run('curl', ['-V'])).stdout : ''
describe.skipIf(!features.includes('NTLM'))('the packed package in a packed server', () => {
  let server: RunningServer
  let site: PackedSite
  beforeAll(async () => {
    site = await packedSite('ntlm')
    server = await startServer({
      cli: join(site.modules, 'mailwright/dist/core/main/cli.js'),
      top: `plugins: ['@mailwright/ntlm']`,
      auth: `mechanisms: [ntlm]
passwords: [ { use: nt-hash-file, path: nt-hashes } ]`,
      files: { 'nt-hashes': `# remark\nalice:${ntHash('secret').toString('hex')}\n` },
      prepare: (folder) => symlink(site.modules, join(folder, 'node_modules')),
    })
  }, 120_000)
  afterAll(async () => {
    await server?.remove()
    await site?.[Symbol.asyncDispose]()
  })
  test.each((['imaps', 'pop3s', 'pop3'] as const).flatMap((scheme) => [
    { scheme, name: 'the right password', password: 'secret', code: 0 },
    { scheme, name: 'a wrong password', password: 'x', code: 67 },
  ]))('curl logs in by NTLM with $name, $scheme', async ({ scheme, password, code }) => {
    const before = server.log().length
    const got = await run('curl', ['-v', '-sS', '--cacert', server.certificate, '--login-options', 'AUTH=NTLM', '-u', `alice:${password}`, `${scheme}://localhost:${server.ports[scheme]}/`])
    expect(got.code, got.stderr + server.log()).toBe(code)
    expect(got.stderr).toMatch(/^> .*AUTH(?:ENTICATE)? NTLM/m)
    if (code === 0) await expect.poll(() => server.log().slice(before), { timeout: 30_000 }).toMatch(scheme === 'imaps' ? /mech"?[=:]"?NTLM/ : /Auth user=alice .*nmsgs=0\/0/)
  })
  test('the site has nothing but what was packed', async () => {
    await writeFile(join(site.folder, 'check.mjs'), `import plugin from '@mailwright/ntlm'; console.log(plugin.id)`)
    expect((await run(process.execPath, ['check.mjs'], { cwd: site.folder })).stdout.trim()).toBe('contrib-ntlm')
  })
})
