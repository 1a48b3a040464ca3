import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, rename, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gssClient } from '../support/gss-client.js'
import { hasKdc, startKdc, type Kdc } from '../support/kdc.js'
import { has, run, runOnTerminal, type Ran } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { tokenProgram, type TokenProgram } from '../support/token-program.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const IMTEST = '/usr/lib/cyrus/bin/imtest'
const POP3TEST = '/usr/lib/cyrus/bin/pop3test'
const MESSAGE = `From: carol@example.org\r\nSubject: hello\r\n\r\n${'A line of the message.\r\n'.repeat(10_000)}`

describe.skipIf(!hasKdc)('GSSAPI with MIT Kerberos', () => {
  let kdc: Kdc
  let server: RunningServer
  let alice = ''
  beforeAll(async () => {
    kdc = await startKdc({ alice: 'secret', bob: 'secret', 'alice/admin': 'secret' })
    alice = await kdc.ticket('alice', 'secret')
    server = await startServer({
      auth: `mechanisms: [ { use: gssapi, keytab: ${kdc.keytab}, configuration: ${kdc.config} }, plain ]
schemes: [ { use: plain, allow: true } ]
passwords: [ { use: file, path: users.txt } ]`,
    })
    await writeFile(server.inbox('alice'), `From carol@example.org Thu Jan  1 00:00:00 2026\n${MESSAGE.replaceAll('\r\n', '\n')}\n`)
  })
  afterAll(async () => {
    await server?.remove()
    await kdc?.[Symbol.asyncDispose]()
  })

  /** Runs a client with a ticket; afterwards the log says who came in. */
  const came = async (client: () => Promise<Ran>, line = /Authenticated user=alice .*mech=GSSAPI/): Promise<string> => {
    const before = server.log().length
    const { stdout, stderr } = await client()
    await expect.poll(() => server.log().slice(before), { message: `${stdout}\n${stderr}`, timeout: 20_000 }).toMatch(line)
    return `${stdout}${stderr}`
  }

  describe.skipIf(!existsSync(IMTEST))('imtest (Cyrus SASL)', () => {
    const imtest = (ssf: number, commands: string, more: readonly string[] = [], program = IMTEST, port = server.ports.imap): Promise<Ran> =>
      run(program, ['-m', 'GSSAPI', '-k', '0', '-l', String(ssf), ...more, '-p', String(port), 'localhost'], { input: commands, env: kdc.environment(alice) })
    test.each([
      { ssf: 0, layer: 'no layer' }, { ssf: 1, layer: 'integrity' }, { ssf: 56, layer: 'confidentiality of 56 bits' }, { ssf: 256, layer: 'confidentiality' },
    ])('IMAP, $layer: a large message comes whole', async ({ ssf }) => {
      const said = await came(() => imtest(ssf, 'a SELECT INBOX\r\nb FETCH 1 BODY.PEEK[]\r\nc NOOP\r\nd LOGOUT\r\n'))
      expect(said).toMatch(/Authenticated\.\s+Security strength factor: (\d+)/)
      expect(said.split('A line of the message.').length - 1).toBe(10_000)
      expect(said).toMatch(/b OK[^]*c OK[^]*d OK/)
    })
    test.skipIf(!existsSync(POP3TEST)).each([{ ssf: 0 }, { ssf: 1 }, { ssf: 256 }])('POP3, at most $ssf bits: a large message comes whole', async ({ ssf }) => {
      const said = await came(() => imtest(ssf, 'RETR 1\r\nNOOP\r\nQUIT\r\n', [], POP3TEST, server.ports.pop3), /Auth user=alice .*nmsgs=1\/1/)
      expect(said.split('A line of the message.').length - 1).toBe(10_000)
    })
    test('under implicit TLS', async () => {
      expect(await came(() => imtest(256, 'd LOGOUT\r\n', ['-s'], IMTEST, server.ports.imaps))).toContain('d OK')
    })
    test("the mail of somebody else is not had by asking, and a principal without a local name is nobody", async () => {
      const before = server.log().length
      expect((await imtest(256, 'd LOGOUT\r\n', ['-u', 'bob'])).stdout).toMatch(/NO \[AUTHENTICATIONFAILED\] AUTHENTICATE GSSAPI failed/)
      await expect.poll(() => server.log().slice(before)).toMatch(/Failed alice override of user=bob/)
      const admin = await kdc.ticket('alice/admin', 'secret')
      expect((await run(IMTEST, ['-m', 'GSSAPI', '-p', String(server.ports.imap), 'localhost'], { input: 'd LOGOUT\r\n', env: kdc.environment(admin) })).stdout).toMatch(/NO \[AUTHENTICATIONFAILED\] AUTHENTICATE GSSAPI failed/)
    })
  })

  describe.skipIf(!has('gsasl'))('gsasl', () => {
    const gsasl = (more: readonly string[]): Promise<Ran> =>
      run('gsasl', ['--client', '--imap', '--connect', `localhost:${server.ports.imap}`, '--mechanism', 'GSSAPI', '--service', 'imap', '--hostname', 'localhost', '--authentication-id', 'alice', '--quiet', ...more], { input: '. LOGOUT\r\n', env: kdc.environment(alice) })
    test('in clear', async () => {
      expect(await came(() => gsasl(['--no-starttls', '--authorization-id', 'alice']))).toEqual(expect.any(String))
    })
    test('inside TLS', async () => {
      expect(await came(() => gsasl(['--starttls', '--x509-ca-file', server.certificate, '--no-cb', '--authorization-id', 'alice']))).toEqual(expect.any(String))
    })
  })

  describe.skipIf(!has('mutt'))('mutt', () => {
    const mutt = (settings: string, url: string): Promise<Ran> =>
      runOnTerminal('mutt', ['-n', '-F', '/dev/null', '-e', `${settings}; set ssl_starttls=no; set ssl_force_tls=no; set folder=${kdc.folder}; set record=''; push <quit>`, '-f', url], { env: kdc.environment(alice) })
    test('IMAP', async () => {
      const url = `imap://localhost:${server.ports.imap}/`
      expect(await came(() => mutt(`set imap_authenticators=gssapi; set imap_user=alice; set imap_pass=wrong`, `${url}INBOX`))).toEqual(expect.any(String))
    })
    test('POP3', async () => {
      expect(await came(() => mutt('set pop_authenticators=gssapi; set pop_user=alice; set pop_pass=wrong', `pop://localhost:${server.ports.pop3}/`), /Auth user=alice .*nmsgs=1\/1/)).toEqual(expect.any(String))
    })
  })

  describe.skipIf(spawnSync('curl', ['-V']).stdout?.toString().includes('GSS-API') !== true)('curl', () => {
    // It offers the mechanism to names with a realm alone.
    test.each([{ scheme: 'imap', line: /Authenticated user=alice .*mech=GSSAPI/ }, { scheme: 'pop3', line: /Auth user=alice .*nmsgs=1\/1/ }])('$scheme', async ({ scheme, line }) => {
      const port = scheme === 'imap' ? server.ports.imap : server.ports.pop3
      expect(await came(() => run('curl', ['-sS', '--login-options', 'AUTH=GSSAPI', '-u', 'alice@EXAMPLE.TEST:', `${scheme}://localhost:${port}/`], { env: kdc.environment(alice) }), line)).toEqual(expect.any(String))
    })
  })

  describe('what is slipped in before the layer', () => {
    /** Logs in by hand with something behind the last message, then says NOOP under the layer; everything that was heard, unwrapped where it is wrapped. */
    const slipped = async (port: number, start: (initial: string) => string, behind: string, noop: string): Promise<string> => {
      process.env['KRB5_CONFIG'] = kdc.config
      const client = gssClient({ cache: alice, service: port === server.ports.imap ? 'imap@localhost' : 'pop@localhost', layer: 'confidentiality' })
      const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString('base64')
      const socket = connect(port, '127.0.0.1')
      let heard = Buffer.alloc(0)
      let isOver = false
      socket.on('data', (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])))
      socket.on('error', () => undefined)
      socket.on('close', () => (isOver = true))
      const line = async (pattern: RegExp): Promise<string> => {
        await expect.poll(() => heard.toString('latin1'), { timeout: 10_000 }).toMatch(pattern)
        const [, found = ''] = pattern.exec(heard.toString('latin1')) ?? []
        heard = Buffer.alloc(0)
        return found
      }
      await line(/^(.*)\r\n/)
      socket.write(start(base64(client.initial)))
      const challenge = /\+ (\S+)\r\n$/
      socket.write(`${base64(client.answer(Buffer.from(await line(challenge), 'base64'), 0))}\r\n`)
      socket.write(`${base64(client.answer(Buffer.from(await line(challenge), 'base64'), 1))}\r\n${behind}`)
      let said = await line(/((?:a |\+)OK .*\r\n)/)
      const token = client.wrap(Buffer.from(noop), true)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(token.length)
      socket.write(Buffer.concat([length, token]))
      await expect.poll(() => isOver || (heard.length > 4 && heard.length >= 4 + heard.readUInt32BE()), { timeout: 10_000 }).toBe(true)
      while (heard.length >= 4) {
        const end = 4 + heard.readUInt32BE()
        said += Buffer.from(client.unwrap(heard.subarray(4, end))).toString()
        heard = heard.subarray(end)
      }
      socket.destroy()
      return said
    }
    test('is never a command under it: IMAP', async () => {
      const said = await slipped(server.ports.imap, (initial) => `a AUTHENTICATE GSSAPI ${initial}\r\n`, 'b CREATE slipped\r\n', 'c NOOP\r\n')
      expect(said).toMatch(/^a OK [^\r]*\r\n(?:c OK NOOP completed\r\n)?$/)
      const client = await RawClient.login(server.ports.imap, 'alice')
      expect((await client.do('LIST "" slipped')).untagged).toEqual([])
      client.drop()
    })
    test('is never a command under it: POP3', async () => {
      const said = await slipped(server.ports.pop3, (initial) => `AUTH GSSAPI ${initial}\r\n`, 'DELE 1\r\n', 'STAT\r\n')
      expect(said).toMatch(/^\+OK Mailbox open[^\r]*\r\n(?:\+OK 1 \d+\r\n)?$/)
    })
  })

  test('is offered while there are keys, without a restart', async () => {
    const greeting = async (): Promise<string> => {
      const client = await RawClient.open(server.ports.imap)
      const { untagged } = await client.do('CAPABILITY')
      client.drop()
      return untagged.join('\n')
    }
    expect(await greeting()).toContain('AUTH=GSSAPI')
    const aside = `${kdc.keytab}.aside`
    await rename(kdc.keytab, aside)
    await expect.poll(greeting, { timeout: 25_000, interval: 1_000 }).not.toContain('AUTH=GSSAPI')
    await rename(aside, kdc.keytab)
    await expect.poll(greeting, { timeout: 25_000, interval: 1_000 }).toContain('AUTH=GSSAPI')
  }, 60_000)
})

describe.skipIf(!hasKdc || !existsSync(IMTEST) || process.getuid?.() !== 0)('GSSAPI with one process per user (needs root)', () => {
  let kdc: Kdc
  let server: RunningServer
  let cell: TokenProgram
  let alice = ''
  beforeAll(async () => {
    kdc = await startKdc({ alice: 'secret' })
    alice = await kdc.ticket('alice', 'secret')
    server = await startServer({
      top: 'processes: { model: per-user }',
      auth: `mechanisms: [ { use: gssapi, keytab: ${kdc.keytab}, configuration: ${kdc.config} }, plain ]
passwords: [ { use: gss, keytab: ${kdc.keytab}, configuration: ${kdc.config}, token: { program: token, arguments: [ -cell ] } } ]`,
      users: '[ { use: file, path: passwd } ]',
      prepare: async (folder) => {
        await chmod(folder, 0o711)
        cell = await tokenProgram(folder)
        const home = join(folder, 'mail', 'alice')
        await writeFile(join(folder, 'passwd'), `alice:x:64001:64001::${home}:/bin/false\n`)
        await writeFile(join(home, 'INBOX'), `From carol@example.org Thu Jan  1 00:00:00 2026\n${MESSAGE.replaceAll('\r\n', '\n')}\n`, { mode: 0o600 })
        for (const path of [home, join(home, 'INBOX')]) await chown(path, 64_001, 64_001)
      },
    })
  })
  afterAll(async () => {
    await server?.remove()
    await kdc?.[Symbol.asyncDispose]()
  })
  test.each([
    { program: IMTEST, port: 'imap' as const, commands: 'a SELECT INBOX\r\nb FETCH 1 BODY.PEEK[]\r\nc NOOP\r\nd LOGOUT\r\n', end: /d OK/ },
    { program: POP3TEST, port: 'pop3' as const, commands: 'RETR 1\r\nNOOP\r\nQUIT\r\n', end: /\+OK Sayonara/ },
  ])('a session under encryption is carried to the process of its user: $port', async ({ program, port, commands, end }) => {
    const { stdout, stderr } = await run(program, ['-m', 'GSSAPI', '-k', '0', '-l', '256', '-p', String(server.ports[port]), 'localhost'], { input: commands, env: kdc.environment(alice) })
    expect(stdout.split('A line of the message.').length - 1, `${stdout.slice(0, 2_000)}\n${stderr}\n${server.log()}`).toBe(10_000)
    expect(stdout).toMatch(end)
    expect(stdout).toMatch(/Security strength factor: (?:56|256)/)
  })
  test('a password that the KDC has checked gets a token for the time of the session', async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect(await cell.token('alice')).toBe('secret')
    expect(await cell.calls()).toEqual([expect.stringMatching(/^-cell obtain alice 64001:64001 HOME=\S+ SERVICE=imap REMOTE=127\.0\.0\.1 SESSION=\S+ groups=64001$/)])
    client.drop()
    await expect.poll(() => cell.token('alice'), { timeout: 20_000 }).toBeUndefined()
  })
})

describe.skipIf(!hasKdc || !has('curl'))('passwords that the KDC checks', () => {
  let kdc: Kdc
  let server: RunningServer
  beforeAll(async () => {
    kdc = await startKdc({ alice: 'of the realm' })
    server = await startServer({ auth: `mechanisms: [ plain ]\npasswords: [ { use: gss, keytab: ${kdc.keytab}, configuration: ${kdc.config} } ]` })
  })
  afterAll(async () => {
    await server?.remove()
    await kdc?.[Symbol.asyncDispose]()
  })
  test.each(['imap', 'pop3'] as const)('%s', async (scheme) => {
    const curl = (password: string): Promise<Ran> => run('curl', ['-sS', '-u', `alice:${password}`, `${scheme}://localhost:${server.ports[scheme]}/`])
    expect([(await curl('of the realm')).code, (await curl('secret')).code]).toEqual([0, 67])
  })
  test('without the KDC nobody is told that the password is wrong', async () => {
    await kdc.stop()
    const client = await RawClient.open(server.ports.imap)
    expect((await client.do('LOGIN alice "of the realm"')).text).toMatch(/^\[UNAVAILABLE\]/)
    client.drop()
    await expect.poll(() => server.log()).toMatch(/Login unavailable user=alice .*KDC/)
  })
})
