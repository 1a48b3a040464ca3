import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { certificateSources, HOST, LOGGER, LOGIN_GATE, logSinks, MAIL_DOOR, MailError, noSettings, observers, protocols, secret, transcripts, transportLayers } from '../../../core/api/index.js'
import type { Link, Plugin } from '../../../core/api/index.js'
import { configOf } from '../../../core/config/config.js'
import type { ConfigPlan } from '../../../core/config/plan/types.js'
import type { Kernel } from '../../../core/kernel/kernel.js'
import { startKernel } from '../../../core/kernel/lifecycle/start.js'
import { Bindings } from '../../../core/main/bindings.js'
import { Connections } from '../../../core/main/connections.js'
import { HostTls } from '../../../core/main/host-tls.js'
import { LocalSessions } from '../../../core/main/local-sessions.js'
import { makeSelfSigned } from '../../../core/net/tls/self-signed.js'
import { keepingLogger, plugin } from '../../support/kernel.js'
import { receive } from '../net/sockets.js'

let folder: string
const closing: (() => Promise<void>)[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-server-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
  await rm(folder, { recursive: true, force: true })
})

/** Whose sessions have ended, and whose mail was closed, in order. */
let over: string[] = []
beforeEach(() => {
  over = []
})

/** A protocol of lines: `user NAME` logs in (there is no mail for `nomail`), `tls` starts TLS, `out` goes back before the login, `quit` ends; the rest comes back with the host's name. */
function echoPlugin(): Plugin {
  return plugin('test-echo', (p) => {
    p.provide(LOGIN_GATE, {
      needs: { host: HOST },
      create: ({ host }) => ({
        mechanisms: () => [],
        sasl: () => Promise.resolve({ kind: 'out' as const }),
        password: (user) => Promise.resolve({ kind: 'in' as const, user: { name: user, kind: 'account' as const, home: '/', facts: {} }, authcid: user, alerts: [] }),
        change: () => Promise.resolve({ kind: 'not-permitted' as const }),
        ended: () => Promise.resolve(void over.push(`${host.id} ended`)),
      }),
    })
    p.provide(MAIL_DOOR, {
      create: () => ({
        // The protocol of this test looks at the user alone.
        open: (user) =>
          user.name === 'nomail'
            ? Promise.reject(new Error('no mail'))
            : Promise.resolve({ user, [Symbol.asyncDispose]: () => Promise.resolve(void over.push(`closed ${user.name}`)) } as never),
      }),
    })
    p.to(protocols).contribute({
      name: 'echo',
      settings: noSettings,
      about: { service: 'echo', ports: { plain: 7 } },
      needs: { host: HOST },
      create: (_settings, { host }) => ({
        async greet(link, gate) {
          say(link, `ready ${host.id}${link.peer.tls === undefined ? '' : ' secure'}`)
          for await (const line of lines(link)) {
            if (line === 'tls') {
              say(link, 'begin')
              await link.wrap({ use: 'tls' })
            } else if (line === 'fail') throw new Error('a bug')
            else if (line.startsWith('user ')) {
              const login = await gate.password(line.slice(5), secret(Buffer.from('')), link.peer, link.signal).catch(() => undefined)
              // As when a protocol lists its capabilities with the answer.
              gate.mechanisms(link.peer)
              if (login === undefined) say(link, 'not now')
              else if (login.kind === 'in') return { login, peer: link.peer, client: { address: '', id: new Map(), commands: [] }, unread: new Uint8Array(0), slots: new Map() }
            } else break
          }
          return undefined
        },
        async serve(link, from, mail) {
          say(link, `hello ${mail.user.name} at ${from.host}`)
          const stop = (): void => say(link, 'bye')
          link.stopping?.addEventListener('abort', stop)
          for await (const line of lines(link)) {
            if (line === 'out') return 'unauthenticated'
            if (line === 'quit') break
            say(link, line)
          }
          link.stopping?.removeEventListener('abort', stop)
          return 'ended'
        },
      }),
    })
  })
}
function say(link: Link, text: string): void {
  link.write(Buffer.from(`${text}\n`))
}
async function* lines(link: Link): AsyncIterable<string> {
  for (let chunk = await link.read(); chunk !== undefined; chunk = await link.read()) {
    for (const line of Buffer.from(chunk).toString().split('\n')) if (line !== '') yield line
  }
}

interface Running {
  readonly kernel: Kernel<ConfigPlan>
  readonly connections: Connections
  readonly bindings: Bindings
  readonly log: ReturnType<typeof keepingLogger>
  port(listener: string): number
}
async function start(listeners: object, hosts: object = { default: { tls: { selfSigned: 'tls' } } }): Promise<Running> {
  const log = keepingLogger()
  const config = { version: 1, log: [], listeners, hosts }
  const points = [protocols, certificateSources, transportLayers, logSinks, observers, transcripts]
  const kernel = await startKernel<ConfigPlan>({
    source: configOf(config, folder),
    builtins: [],
    always: [echoPlugin()],
    points,
    reads: points,
    given: [{ token: LOGGER, value: log }],
    logger: log,
    roles: ['front', 'auth', 'mail'],
  })
  const connections = new Connections(kernel, log, new HostTls(log), (hostOf) => new LocalSessions(hostOf, { recipient: () => Promise.reject(new MailError('unavailable', 'no mail is taken here')) }))
  const bindings = new Bindings(
    (socket, place) => connections.accept(socket, place),
    () => undefined,
    new Map(),
  )
  const prepared = await bindings.prepare(kernel.plan.listeners)
  expect(prepared.problems).toEqual([])
  await prepared.commit()
  closing.push(async () => {
    await bindings.close()
    await connections.drain(0)
    await kernel.stop()
  })
  return { kernel, connections, bindings, log, port: (listener) => bindings.addresses.find((a) => a.listener === listener)?.port ?? 0 }
}
async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  closing.push(() => {
    socket.destroy()
    return Promise.resolve()
  })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}
const line = (socket: Socket): Promise<string> => receive(socket, (t) => t.endsWith('\n'))

const plain = { echo: { protocol: 'echo', address: '127.0.0.1', port: 0, tls: 'none' } }

describe('a connection', () => {
  test('is greeted, logs in, is served and closed', async () => {
    const server = await start(plain)
    const client = await dial(server.port('echo'))
    expect(await line(client)).toBe('ready default\n')
    client.write('user alice\n')
    expect(await line(client)).toBe('hello alice at default\n')
    client.write('one\n')
    expect(await line(client)).toBe('one\n')
    client.write('quit\n')
    expect(await receive(client, () => false)).toBe('')
    client.end()
    expect(server.log.events.filter((e) => e.level === 'debug').map((e) => e.event)).toContain('echo service init from 127.0.0.1')
  })
  test('goes back before the login when the protocol says so (RFC 8437)', async () => {
    const server = await start(plain)
    const client = await dial(server.port('echo'))
    expect(await line(client)).toBe('ready default\n')
    client.write('user alice\n')
    expect(await line(client)).toBe('hello alice at default\n')
    client.write('out\n')
    expect(await line(client)).toBe('ready default\n')
  })
  test('that fails inside a plugin ends alone, with the error in the log', async () => {
    const server = await start(plain)
    const other = await dial(server.port('echo'))
    expect(await line(other)).toBe('ready default\n')
    const client = await dial(server.port('echo'))
    expect(await line(client)).toBe('ready default\n')
    client.write('fail\n')
    expect(await receive(client, () => false)).toBe('')
    expect(server.log.events.filter((e) => e.level === 'error').map((e) => e.event)).toEqual(['session failed'])
    other.write('user bob\n')
    expect(await line(other)).toBe('hello bob at default\n')
  })
  test('over TLS from the first octet, and by STARTTLS', async () => {
    const server = await start({
      secure: { protocol: 'echo', address: '127.0.0.1', port: 0, tls: 'implicit' },
      later: { protocol: 'echo', address: '127.0.0.1', port: 0, tls: 'starttls' },
    })
    const secure = connectTls({ port: server.port('secure'), host: '127.0.0.1', rejectUnauthorized: false })
    expect(await line(secure)).toBe('ready default secure\n')
    expect(server.log.events.map((e) => e.event)).toContain('secure SSL service init from 127.0.0.1')
    secure.destroy()
    const client = await dial(server.port('later'))
    expect(await line(client)).toBe('ready default\n')
    client.write('tls\n')
    expect(await line(client)).toBe('begin\n')
    const upper = connectTls({ socket: client, rejectUnauthorized: false })
    await once(upper, 'secureConnect')
    upper.write('user alice\n')
    expect(await line(upper)).toBe('hello alice at default\n')
  })
  const certificate = { certificate: 'cert.pem', key: { file: 'key.pem' } }
  const useless: readonly { readonly tls: object; readonly line: (folder: string) => string; readonly prepare?: () => Promise<unknown> }[] = [
    { tls: certificate, line: (at) => `Unable to load certificate from ${at}/cert.pem,`, prepare: () => rm(join(folder, 'cert.pem')) },
    { tls: certificate, line: (at) => `Unable to load certificate from ${at}/cert.pem,`, prepare: () => writeFile(join(folder, 'cert.pem'), 'no certificate') },
    { tls: certificate, line: (at) => `Unable to load private key from ${at}/key.pem,`, prepare: () => rm(join(folder, 'key.pem')) },
    { tls: certificate, line: (at) => `Unable to load private key from ${at}/key.pem,`, prepare: () => writeFile(join(folder, 'key.pem'), 'no key') },
    { tls: { certificate: 'cert.pem' }, line: (at) => `Unable to load private key from ${at}/cert.pem,` },
    { tls: { certificate: 'cert.pem', key: { env: 'MAILWRIGHT_NO_SUCH_KEY' } }, line: () => 'Unable to load private key from its setting,' },
    { tls: { ...certificate, ciphers: 'no-such-suite' }, line: () => 'Unable to set cipher list no-such-suite,' },
    { tls: { ...certificate, clientAuthority: 'nobody.pem' }, line: () => 'Unable to create SSL context,' },
  ]
  test.each(useless)('where TLS cannot be set up is served in clear, or not at all; the log says why: $tls', async ({ tls, line: said, prepare }) => {
    const made = await makeSelfSigned(['localhost'], new Date())
    await writeFile(join(folder, 'cert.pem'), made.certificate)
    await writeFile(join(folder, 'key.pem'), made.key)
    await prepare?.()
    const server = await start(
      {
        later: { protocol: 'echo', address: '127.0.0.1', port: 0, tls: 'starttls' },
        secure: { protocol: 'echo', address: '127.0.0.1', port: 0, tls: 'implicit' },
      },
      { default: { tls } },
    )
    const expected = { level: 'error', event: said(folder), facts: { host: '[127.0.0.1]', text: expect.stringMatching(/./) } }
    expect(await line(await dial(server.port('later')))).toBe('ready default\n')
    expect(server.log.events.filter((e) => e.level === 'error')).toEqual([expected])
    expect(await receive(await dial(server.port('secure')), () => false)).toBe('')
    expect(server.log.events.filter((e) => e.level === 'error')).toEqual([expected, expected])
  })
  test('that speaks no TLS where TLS is wanted is closed and logged', async () => {
    const server = await start({ secure: { protocol: 'echo', address: '127.0.0.1', port: 0, tls: 'implicit' } })
    const client = await dial(server.port('secure'))
    client.write('user alice\nuser bob\n')
    await receive(client, () => false)
    expect(server.log.events.map((e) => e.event)).toContain('Unable to accept SSL connection')
  })
})

describe('the end of a session', () => {
  async function loggedIn(server: Running): Promise<Socket> {
    const client = await dial(server.port('echo'))
    expect(await line(client)).toBe('ready default\n')
    client.write('user alice\n')
    expect(await line(client)).toBe('hello alice at default\n')
    return client
  }
  const ends: readonly { readonly name: string; end(client: Socket, server: Running): unknown }[] = [
    { name: 'a goodbye', end: (client) => client.write('quit\n') },
    { name: 'a lost connection', end: (client) => client.resetAndDestroy() },
    { name: 'the end of input', end: (client) => client.end() },
    { name: 'a login that is given up', end: (client) => client.write('out\n') },
    { name: 'the end of the server', end: (client, server) => void server.connections.drain(0) },
  ]
  test.each(ends)('closes the mail, then tells the gate: $name', async ({ end }) => {
    const server = await start(plain)
    const client = await loggedIn(server)
    end(client, server)
    await vi.waitFor(() => expect(over).toEqual(['closed alice', 'default ended']))
    await server.connections.drain(0)
    // A connection that went back before the login ends as nobody's: the gate is told of that as well, the mail is not closed twice.
    expect(over.filter((what) => what.startsWith('closed'))).toEqual(['closed alice'])
  })
  test('whose mail cannot be opened is told so before it is let in, and may try again', async () => {
    const server = await start(plain)
    const client = await dial(server.port('echo'))
    expect(await line(client)).toBe('ready default\n')
    client.write('user nomail\n')
    expect(await line(client)).toBe('not now\n')
    expect(over).toEqual(['default ended'])
    client.write('user alice\n')
    expect(await line(client)).toBe('hello alice at default\n')
    client.write('quit\n')
    await receive(client, () => false)
    await server.connections.drain(0)
    expect(over).toEqual(['default ended', 'closed alice', 'default ended'])
  })
})

describe('virtual hosts', () => {
  const hosts = {
    default: { tls: { selfSigned: 'tls' } },
    org: { match: { names: ['mail.example.org'], domains: ['example.org'] } },
  }
  test('are chosen by the domain of the user name', async () => {
    const server = await start(plain, hosts)
    const client = await dial(server.port('echo'))
    expect(await line(client)).toBe('ready default\n')
    client.write('user alice@example.org\n')
    expect(await line(client)).toBe('hello alice@example.org at org\n')
    client.write('quit\n')
    await receive(client, () => false)
    await server.connections.drain(0)
    expect(over).toEqual(['closed alice@example.org', 'default ended', 'org ended'])
  })
  test('are chosen by the TLS server name', async () => {
    const server = await start({ secure: { protocol: 'echo', address: '127.0.0.1', port: 0, tls: 'implicit' } }, hosts)
    const secure = connectTls({ port: server.port('secure'), host: '127.0.0.1', servername: 'mail.example.org', rejectUnauthorized: false })
    expect(await line(secure)).toBe('ready org secure\n')
    secure.destroy()
  })
})

describe('stopping', () => {
  test('tells the sessions, waits for them, then ends those that stay', async () => {
    const server = await start(plain)
    const quick = await dial(server.port('echo'))
    expect(await line(quick)).toBe('ready default\n')
    quick.write('user alice\n')
    expect(await line(quick)).toBe('hello alice at default\n')
    const drained = server.connections.drain(60_000)
    expect(await line(quick)).toBe('bye\n')
    quick.end('quit\n')
    await drained
    expect(server.connections.count).toBe(0)
  })
})

describe('listeners across a reload', () => {
  test('an unchanged one keeps its socket, a changed kind counts for new connections, a removed one closes', async () => {
    const server = await start({ ...plain, other: { protocol: 'echo', address: '127.0.0.1', port: 0, tls: 'none' } })
    const before = server.bindings.addresses
    const [echo] = server.kernel.plan.listeners
    if (echo === undefined) throw new Error('no listener')
    const prepared = await server.bindings.prepare([{ ...echo, tls: 'starttls' }])
    await prepared.commit()
    expect(server.bindings.addresses).toEqual([{ ...before[0], tls: 'starttls' }])
    const gone = connect(before[1]?.port ?? 0, '127.0.0.1')
    await expect(once(gone, 'connect')).rejects.toThrow('ECONNREFUSED')
  })
  test('a new one that cannot be had is a problem with its place, and nothing changes', async () => {
    const server = await start(plain)
    const [echo] = server.kernel.plan.listeners
    if (echo === undefined) throw new Error('no listener')
    const prepared = await server.bindings.prepare([echo, { ...echo, id: 'twin', path: 'listeners.twin', port: server.port('echo') }])
    expect(prepared.problems).toMatchObject([{ code: 'NET_ADDRESS_IN_USE', path: 'listeners.twin' }])
    await prepared.discard()
    expect(server.bindings.addresses).toHaveLength(1)
  })
})
