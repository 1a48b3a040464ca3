import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { scramClient } from '../support/sasl-clients.js'

let server: RunningServer
let token = ''
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  token = await new SignJWT({ email: 'alice' }).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).setExpirationTime('1h').setAudience('mail').setIssuer('https://id.example.org').sign(privateKey)
  server = await startServer({
    auth: `mechanisms: [scram-sha-256-plus, scram-sha-256, scram-sha-1-plus, scram-sha-1, oauthbearer, xoauth2, cram-md5, digest-md5, external, plain, login]
schemes: [ { use: plain, allow: true } ]
passwords:
  - { use: file, path: users.txt, keep: [clear] }
  - { use: oauth2, jwksFile: keys.json, issuer: 'https://id.example.org', audience: [mail] }`,
    files: { 'keys.json': JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256' }] }) },
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

/** Runs a login over POP3: the client asked for this mechanism, and alice came in by AUTH. */
async function logsIn(mechanism: string, login: () => Promise<{ readonly stdout: string; readonly stderr: string }>): Promise<true> {
  const before = server.log().length
  const { stderr } = await login()
  expect(stderr).toContain(`> AUTH ${mechanism}`)
  // The log comes through a pipe, which may be later than the client's end.
  await expect.poll(() => server.log().slice(before), { message: stderr, timeout: 20_000 }).toMatch(/Auth user=alice .*nmsgs=0\/0/)
  return true
}

const links = [
  { link: 'plain', args: [], scheme: 'pop3', port: 'pop3' },
  { link: 'STLS', args: ['--ssl-reqd'], scheme: 'pop3', port: 'pop3' },
  { link: 'implicit TLS', args: [], scheme: 'pop3s', port: 'pop3s' },
] as const

describe.skipIf(!has('curl'))('curl over POP3', () => {
  const curl = (mechanism: string, link: (typeof links)[number], more: readonly string[]): ReturnType<typeof run> =>
    run('curl', ['-v', '-sS', '--cacert', server.certificate, ...link.args, '--login-options', `AUTH=${mechanism}`, ...more, `${link.scheme}://localhost:${server.ports[link.port]}/`])

  test.each(links.flatMap((link) => ['PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5'].map((mechanism) => ({ ...link, mechanism }))))('$mechanism, $link', async ({ mechanism, ...link }) => {
    expect(await logsIn(mechanism, () => curl(mechanism, link, ['-u', 'alice:secret']))).toBe(true)
    expect((await curl(mechanism, link, ['-u', 'alice:wrong'])).code).toBe(67)
  })
  test.each(links.filter(({ link }) => link !== 'plain'))('EXTERNAL with a certificate, $link', async (link) => {
    const certificate = ['--cert', `${server.folder}/client.pem`, '--key', `${server.folder}/client.key`]
    expect(await logsIn('EXTERNAL', () => curl('EXTERNAL', link, [...certificate, '-u', 'alice:']))).toBe(true)
    expect((await curl('EXTERNAL', link, ['-u', 'alice:'])).code).not.toBe(0)
  })
  test.each(links)('OAUTHBEARER with a signed token, $link', async (link) => {
    const mechanism = 'OAUTHBEARER'
    expect(await logsIn(mechanism, () => curl(mechanism, link, ['--oauth2-bearer', token, '-u', 'alice:']))).toBe(true)
    expect((await curl(mechanism, link, ['--oauth2-bearer', `${token.slice(0, -8)}AAAAAAAA`, '-u', 'alice:'])).code).toBe(67)
  })
})

/** One login by SCRAM; what the server said after it, and whether it proved that it knows the password. */
async function scram(hash: 'sha1' | 'sha256', password: string, initial: boolean): Promise<{ readonly said: string; readonly proved: boolean }> {
  const socket: Socket = connect(server.ports.pop3, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  const line = async (): Promise<string> => {
    while (!heard.includes('\r\n')) await once(socket, 'data')
    const [first = ''] = heard.split('\r\n', 1)
    heard = heard.slice(first.length + 2)
    return first
  }
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const challenge = async (): Promise<string> => Buffer.from((await line()).replace(/^\+ ?/, ''), 'base64').toString()
  try {
    const client = scramClient({ hash, user: 'alice', password })
    await line()
    const name = `SCRAM-SHA-${hash === 'sha1' ? '1' : '256'}`
    if (initial) socket.write(`AUTH ${name} ${base64(client.first)}\r\n`)
    else {
      socket.write(`AUTH ${name}\r\n`)
      expect(await line()).toBe('+ ')
      socket.write(`${base64(client.first)}\r\n`)
    }
    const { text, serverSays } = client.final(await challenge())
    socket.write(`${base64(text)}\r\n`)
    const last = await line()
    if (last.startsWith('-')) return { said: last, proved: false }
    const proved = Buffer.from(last.slice(2), 'base64').toString() === serverSays
    socket.write('\r\n')
    return { said: await line(), proved }
  } finally {
    socket.destroy()
  }
}

describe('SCRAM over POP3 (RFC 5034, RFC 5802, RFC 7677)', () => {
  test.each([
    { hash: 'sha1', initial: true }, { hash: 'sha1', initial: false }, { hash: 'sha256', initial: true }, { hash: 'sha256', initial: false },
  ] as const)('SCRAM with $hash, initial response: $initial', async ({ hash, initial }) => {
    expect(await scram(hash, 'secret', initial)).toEqual({ said: '+OK Mailbox open, 0 messages', proved: true })
    expect(await scram(hash, 'wrong', initial)).toEqual({ said: '-ERR [AUTH] Bad authentication', proved: false })
  })
})

test('CAPA and AUTH list what can be used on the link', async () => {
  const ask = async (link: (typeof links)[number]): Promise<string> => (await run('curl', ['-v', '-sS', '--cacert', server.certificate, ...link.args, '-u', 'alice:secret', '--login-options', 'AUTH=PLAIN', `${link.scheme}://localhost:${server.ports[link.port]}/`])).stderr
  const mechanisms = (said: string): readonly string[] => /< SASL (.*?)\r?\n/.exec(said.slice(said.lastIndexOf('Capability list follows')))?.[1]?.split(' ') ?? []
  const [plain, stls] = links
  expect(mechanisms(await ask(plain)).toSorted()).toEqual(['CRAM-MD5', 'DIGEST-MD5', 'LOGIN', 'OAUTHBEARER', 'PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'XOAUTH2'])
  expect(mechanisms(await ask(stls)).filter((name) => name.endsWith('-PLUS')).toSorted()).toEqual(['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS'])
})
