import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox } from '../support/interop.js'
import { has, hasPython, run, runOnTerminal } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { freePort } from '../support/ports.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf, subjectsIn } from '../support/sample-mailbox.js'

const UNITS = fileURLToPath(new URL('../../config/examples/systemd/', import.meta.url))
const ROOT = process.getuid?.() === 0

let server: RunningServer
const running: ChildProcess[] = []
beforeAll(async () => {
  server = await startServer()
})
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
})
afterAll(() => server.remove())

/** Starts a program that stays; it is ended after the test. */
function start(program: string, args: readonly string[], env: Record<string, string> = {}): { readonly child: ChildProcess; said(): string } {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  running.push(child)
  return { child, said: () => text }
}
/** Connects as soon as the program listens. */
async function connected(port: number, program: { readonly child: ChildProcess; said(): string }): Promise<RawClient> {
  for (;;) {
    const client = await RawClient.open(port).catch(() => undefined)
    if (client !== undefined) return client
    if (program.child.exitCode !== null) throw new Error(program.said())
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
/** A whole session with a login that puts a flag on one message. @returns the flags of that message in the mailbox file. */
async function flagged(client: RawClient, message: number): Promise<string> {
  for (const command of ['LOGIN alice secret', 'SELECT INBOX', `STORE ${message} +FLAGS (\\Flagged)`]) {
    const reply = await client.do(command)
    if (reply.status !== 'OK') throw new Error(`${command}: ${reply.text}`)
  }
  await client.logout()
  return statusOf(messagesIn(await readFile(server.inbox('alice'), 'latin1'))[message - 1] ?? '')
}

describe('systemd', () => {
  test.skipIf(!has('systemd-analyze')).each([{ how: 'as they are', root: false }, { how: 'in a root directory of its own', root: true }])('the units of the examples are right: $how', async ({ root }) => {
    const folder = join(server.folder, root ? 'units-root' : 'units')
    await mkdir(folder)
    for (const name of await readdir(UNITS)) {
      if (name.endsWith('.service')) {
        const text = await readFile(join(UNITS, name), 'utf8')
        // Paths of the machine, as the file says that they have to be adapted.
        await writeFile(join(folder, name), text.replace('/usr/bin/node /usr/lib/mailwright/dist/core/main/cli.js', `${process.execPath} ${CLI}`))
      } else await copyFile(join(UNITS, name), join(folder, name))
    }
    const units = (await readdir(folder)).map((name) => join(folder, name))
    if (root) {
      await mkdir(join(folder, 'mailwright.service.d'))
      await copyFile(join(UNITS, '../systemd-root/root-directory.conf'), join(folder, 'mailwright.service.d/root-directory.conf'))
      // Words that systemd does not know are told on standard error; that the drop-in is read at all is seen by one.
      await writeFile(join(folder, 'mailwright.service.d/zz.conf'), '[Service]\nNoSuchWord=yes\n')
    }
    const got = await run('systemd-analyze', ['verify', '--man=no', ...units], { env: { SYSTEMD_UNIT_PATH: `${folder}:` } })
    expect({ ...got, stderr: got.stderr.split('\n').filter((line) => !(root && line.includes("zz.conf:2: Unknown key"))).join('\n') }).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(got.stderr.includes('NoSuchWord')).toBe(root)
  })

  test.skipIf(!has('systemd-socket-activate') || !has('socat'))('a start by socket: the sockets are taken by name, and the manager hears that it is ready', { timeout: 120_000 }, async () => {
    await freshInbox(server)
    await server.stop()
    try {
      const ports = { imap: await freePort(), imaps: await freePort() }
      const notify = join(server.folder, 'notify')
      const manager = start('socat', ['-u', `UNIX-RECV:${notify}`, 'STDOUT'])
      const activated = start('systemd-socket-activate', [
        '-l',
        `127.0.0.1:${ports.imaps}`,
        '-l',
        `127.0.0.1:${ports.imap}`,
        '--fdname=imaps:imap',
        '-E',
        `NOTIFY_SOCKET=${notify}`,
        '-E',
        `PATH=${process.env['PATH'] ?? ''}`,
        process.execPath,
        CLI,
        'serve',
        '-c',
        server.config,
      ])
      expect(await flagged(await connected(ports.imap, activated), 1)).toContain('F')
      const read = await run('curl', ['-sS', '--cacert', server.certificate, '-u', 'alice:secret', `imaps://localhost:${ports.imaps}/INBOX;MAILINDEX=3`])
      expect(read, activated.said()).toMatchObject({ code: 0, stdout: expect.stringContaining('Subject: Short') })
      // The ports of the configuration do not count then.
      await expect(RawClient.open(server.ports.imap)).rejects.toThrow('ECONNREFUSED')
      activated.child.kill('SIGTERM')
      await once(activated.child, 'exit')
      expect(activated.child.exitCode).toBe(0)
      while (!manager.said().includes('STOPPING=1') && manager.child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20))
      expect(manager.said()).toBe('READY=1STOPPING=1')
    } finally {
      await server.again()
    }
  })

  test.skipIf(!has('systemd-socket-activate') || !ROOT)('Accept=yes: one process for each connection', { timeout: 120_000 }, async () => {
    await freshInbox(server)
    const port = await freePort()
    const activated = start('systemd-socket-activate', ['-l', `127.0.0.1:${port}`, '--accept', '--inetd', process.execPath, CLI, 'imapd', '-c', server.config])
    const first = await connected(port, activated)
    expect(await flagged(await connected(port, activated), 1)).toContain('F')
    expect(await flagged(first, 2)).toContain('F')
  })
})

describe('inetd', () => {
  test.skipIf(!has('inetd') || !ROOT)('serves a connection on standard input and output', { timeout: 120_000 }, async () => {
    await freshInbox(server)
    const port = await freePort()
    const conf = join(server.folder, 'inetd.conf')
    await writeFile(conf, `127.0.0.1:${port} stream tcp nowait root ${process.execPath} node ${CLI} imapd -c ${server.config}\n`)
    const inetd = start('inetd', ['-d', conf])
    expect(await flagged(await connected(port, inetd), 1)).toContain('F')
  })
  test.skipIf(!has('inetd') || !ROOT)('with TLS from the first octet', { timeout: 120_000 }, async () => {
    const port = await freePort()
    const conf = join(server.folder, 'inetd.conf')
    await writeFile(conf, `127.0.0.1:${port} stream tcp nowait root ${process.execPath} node ${CLI} imapd --tls implicit -c ${server.config}\n`)
    const inetd = start('inetd', ['-d', conf])
    let read = await run('curl', ['--version'])
    do read = await run('curl', ['-sS', '--cacert', server.certificate, '-u', 'alice:secret', `imaps://localhost:${port}/INBOX;MAILINDEX=3`])
    while (read.code === 7 && inetd.child.exitCode === null)
    expect(read, inetd.said()).toMatchObject({ code: 0, stdout: expect.stringContaining('Subject: Short') })
  })
})

describe('the session of an account without a login, as over ssh', () => {
  const JOB = `
import imaplib, sys
m = imaplib.IMAP4_stream(sys.argv[1])
assert m.state == 'AUTH', m.state
assert m.welcome.startswith(b'* PREAUTH'), m.welcome
print(m.select('INBOX')[1][0].decode())
m.store('2', '+FLAGS', r'(\\Answered)')
m.append('Notes', None, None, b'Subject: over a pipe\\r\\n\\r\\nHello\\r\\n')
m.logout()
`
  const command = (): string => `${process.execPath} ${CLI} imapd --user alice -c ${server.config}`
  test.skipIf(!hasPython('imaplib') || !ROOT)("Python's imaplib over a pipe", { timeout: 120_000 }, async () => {
    await freshInbox(server)
    await writeFile(join(server.home('alice'), 'Notes'), '')
    const got = await run('python3', ['-c', JOB, command()])
    expect(got).toMatchObject({ code: 0, stdout: '3\n' })
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(statusOf(messagesIn(inbox)[1] ?? '')).toContain('A')
    expect(subjectsIn(await readFile(join(server.home('alice'), 'Notes'), 'latin1'))).toEqual(['over a pipe'])
  })
  test.skipIf(!has('mutt') || !has('script') || !ROOT)("mutt's tunnel", { timeout: 120_000 }, async () => {
    await freshInbox(server)
    const rc = join(server.folder, 'muttrc')
    await writeFile(rc, `set tunnel="${command()}"\nset folder=imap://localhost/\nset spoolfile=imap://localhost/INBOX\nset delete=yes\nset quit=yes\nset move=no\nset header_cache=\n`)
    const got = await runOnTerminal('mutt', ['-F', rc, '-n', '-e', `push '<jump>1<enter><delete-message><sync-mailbox><quit>'`], { env: { HOME: server.folder } })
    expect(got.code, got.stdout).toBe(0)
    expect(subjectsIn(await readFile(server.inbox('alice'), 'latin1'))).toEqual(['Plans with a picture', 'Short'])
  })
})

// An address of loopback that nobody else uses; only root may have these ports.
const BY_PORT = [
  { command: 'imapd', port: 993, tls: true, greeting: /^\* OK / },
  { command: 'imapd', port: 143, tls: false, greeting: /^\* OK / },
  { command: 'pop3d', port: 995, tls: true, greeting: /^\+OK / },
  { command: 'pop3d', port: 110, tls: false, greeting: /^\+OK / },
] as const
describe.runIf(ROOT)('the port of services(5) decides about TLS where nothing else does (FAQ 7.45)', () => {
  test.each(BY_PORT)('$command on port $port: TLS from the first octet: $tls', { timeout: 60_000 }, async ({ command, port, tls, greeting }) => {
    // As inetd does.
    const inetd = createServer({ pauseOnConnect: true }, (socket) => {
      const child = spawn(process.execPath, [CLI, command, '--config', server.config], { stdio: [socket, socket, 'ignore'] })
      running.push(child)
      child.once('exit', () => socket.destroy())
    }).listen(port, '127.0.0.94')
    await once(inetd, 'listening')
    const client = tls ? connectTls({ host: '127.0.0.94', port, servername: 'localhost', ca: await readFile(server.certificate) }) : connect(port, '127.0.0.94')
    try {
      const [said] = (await once(client, 'data')) as [Buffer]
      expect(said.toString()).toMatch(greeting)
    } finally {
      client.destroy()
      inetd.close()
    }
  })
})
