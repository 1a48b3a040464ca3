import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { commands } from '../../../core/main/commands.js'
import { initialConfig } from '../../../core/main/initial-config.js'
import { quickstartConfig } from '../../../core/main/quickstart.js'

const CLI = fileURLToPath(new URL('../../../dist/core/main/cli.js', import.meta.url))

let folder: string
const running: ChildProcess[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-cli-'))
})
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
  await rm(folder, { recursive: true, force: true })
})

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}
function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, fds: readonly number[] = []): ChildProcess {
  const child = spawn(command, args, { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, ...env }, stdio: ['pipe', 'pipe', 'pipe', ...fds] })
  running.push(child)
  return child
}
async function outcome(child: ChildProcess, input = ''): Promise<Outcome> {
  let out = ''
  let err = ''
  child.stdout?.on('data', (d: Buffer) => (out += d.toString()))
  child.stderr?.on('data', (d: Buffer) => (err += d.toString()))
  child.stdin?.end(input)
  await once(child, 'close')
  return { code: child.exitCode, out, err }
}
function mailwright(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return outcome(start(process.execPath, [CLI, ...args], env), input)
}
/** Text of a stream until it matches. */
function until(stream: NodeJS.ReadableStream | null, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    stream?.on('data', (d: Buffer) => {
      text += d.toString()
      if (pattern.test(text)) resolve(text)
    })
    stream?.on('end', () => reject(new Error(`ended before ${String(pattern)}: ${text}`)))
  })
}
async function writeConfig(more: string = ''): Promise<string> {
  const file = join(folder, 'mailwright.config.yaml')
  await writeFile(
    file,
    `version: 1
server: { runDirectory: run }
listeners:
  imap: { protocol: imap4, address: 127.0.0.1, port: 1, tls: none }
hosts:
  default:
    auth:
      plaintext: always
      failureDelay: 0s
      passwords: [{ use: file, path: users }]
      users: [{ use: virtual, data: mail }]
    namespaces: [{ use: mailboxfile, inboxPath: '{home}/INBOX' }]
${more}`,
  )
  return file
}

describe('the command line', () => {
  const usages = [
    { name: 'no command', args: [], code: 64 },
    { name: 'an unknown command', args: ['frobnicate'], code: 64 },
    { name: 'an unknown option', args: ['serve', '--frobnicate'], code: 64 },
    { name: 'an argument too many', args: ['check', 'this'], code: 64 },
    { name: 'an argument too few', args: ['user'], code: 64 },
    { name: 'an unknown action', args: ['user', 'rename', 'alice'], code: 64 },
    { name: 'a file that is not there', args: ['check', '--config', 'nowhere.yaml'], code: 78 },
    { name: 'a reload without a server', args: ['reload'], code: 69 },
  ]
  test.each(usages)('$name ends with $code', async ({ args, code }) => {
    const done = await mailwright(args, '', { XDG_STATE_HOME: folder })
    expect(done.code).toBe(code)
    expect(done.out + done.err).not.toMatch(/\n\s+at /)
  })
  test('every command has help', async () => {
    const { out } = await mailwright(['--help'])
    const names = [...out.matchAll(/^ {2}([\w-]+) {2,}\S/gm)].map(([, name = '']) => name)
    expect(names).toEqual(commands.map((command) => command.name))
    expect(names).toEqual(expect.arrayContaining(['serve', 'check', 'explain', 'plugins', 'schema', 'reload', 'imapd', 'pop3d', 'user', 'init', 'blocks', 'login-test', 'deliver']))
    for (const name of names) expect(await mailwright([name, '--help'])).toMatchObject({ code: 0, err: '', out: expect.stringContaining(`usage: mailwright ${name}`) as string })
    expect((await mailwright(['--version'])).out).toMatch(/^mailwright \d+\.\d+\.\d+ \(plugin API \d+\.\d+, Node /)
  })
  test('init writes a configuration that check accepts, and does not overwrite', async () => {
    expect(await mailwright(['init'])).toMatchObject({ code: 0 })
    expect(await mailwright(['init'])).toMatchObject({ code: 1 })
    const check = await mailwright(['check'])
    expect(check.out).not.toMatch(/^(CFG|PLG)_/m)
    for (const facts of [
      { hostName: 'mail.example.org', root: true, certificate: { certificate: '/etc/c.pem', key: '/etc/k.pem' } },
      { hostName: 'mail', root: false, certificate: undefined },
    ]) {
      expect(parse(initialConfig(facts))).toMatchObject({ version: 1, listeners: { imap: { port: facts.root ? 143 : 1143 } } })
    }
  })
  test('the configuration of "no configuration" is the quickstart', async () => {
    const file: unknown = parse(await readFile(new URL('../../../config/examples/quickstart.yaml', import.meta.url), 'utf8'))
    expect(JSON.parse(JSON.stringify(file).replaceAll('../../var/', ''))).toEqual(quickstartConfig())
  })
  test('check reports every mistake with file and line', async () => {
    await writeConfig('    imap: { timeouts: { prelogn: 1m } }\n    mailbox: { poll: soon }\n    workarounds: [no-such]\n')
    const { code, out } = await mailwright(['check'])
    expect(code).toBe(78)
    for (const part of ['prelogn', 'prelogin', 'poll', 'no-such', 'mailwright.config.yaml:13', 'mailwright.config.yaml:14', 'mailwright.config.yaml:15']) expect(out).toContain(part)
  })
  const mistakes = [
    { name: 'a folder', args: ['check', '--config', '.'], said: 'is a folder, not a configuration file' },
    { name: 'a file that is not YAML, which is named in the last line', args: ['check', '--config', 'broken.yaml'], said: 'not usable: broken.yaml' },
    { name: 'a listener for a protocol that nobody serves', args: ['check', '--config', 'protocol.yaml'], said: 'no host serves the protocol "imap5"' },
    { name: 'the same at the start', args: ['serve', '--config', 'protocol.yaml'], said: 'did you mean "imap4"?' },
    { name: 'a certificate that is none', args: ['check', '--config', 'certificate.yaml'], said: 'it has to be a certificate chain in PEM form' },
    { name: 'a reload without a server', args: ['reload', '--config', 'fine.yaml'], said: 'no server runs with this configuration' },
    { name: 'an unknown option', args: ['serve', '--frobnicate'], said: `Unknown option '--frobnicate'; --help lists the options` },
  ]
  test.each(mistakes)('$name is told in words', async ({ args, said }) => {
    const listener = (protocol: string): string => `version: 1\nserver: { name: a.example.org, runDirectory: run }\nlisteners: { x: { protocol: ${protocol}, address: 127.0.0.1, port: 1 } }\n`
    await writeFile(join(folder, 'broken.yaml'), 'version: 1\n\tfoo: [\n')
    await writeFile(join(folder, 'protocol.yaml'), listener('imap5'))
    await writeFile(join(folder, 'fine.yaml'), listener('imap4'))
    await writeFile(join(folder, 'certificate.yaml'), `${listener('imap4')}hosts: { default: { tls: { certificate: broken.yaml } } }\n`)
    const { out, err } = await mailwright(args)
    expect(out + err).toContain(said)
  })
  test('a configuration without listeners is one for imapd and deliver: check warns, serve refuses', async () => {
    await writeFile(join(folder, 'mailwright.config.yaml'), 'version: 1\nserver: { name: a.example.org, runDirectory: run }\n')
    const check = await mailwright(['check'])
    expect(check.code).toBe(0)
    expect(check.out).toContain('CFG_NO_LISTENER')
    for (const model of ['single', 'workers']) {
      await writeFile(join(folder, 'mailwright.config.yaml'), `version: 1\nserver: { name: a.example.org, runDirectory: run }\nprocesses: { model: ${model}, mailUser: nobody }\n`)
      const serve = await mailwright(['serve'])
      expect(serve.code).toBe(78)
      expect(serve.err).toContain('CFG_NO_LISTENER')
    }
  })
  test('two mistakes in a listener, one of them its protocol, are told at once', async () => {
    await writeFile(join(folder, 'mailwright.config.yaml'), 'version: 1\nserver: { name: a.example.org, runDirectory: run }\nlisteners:\n  x:\n    protocol: imap5\n    port: 99999\n')
    for (const command of ['check', 'serve']) {
      const { code, out, err } = await mailwright([command])
      expect(code).toBe(78)
      const said = out + err
      for (const part of ['listeners.x.port', 'mailwright.config.yaml:6', 'no host serves the protocol "imap5"', 'mailwright.config.yaml:5']) expect(said).toContain(part)
      expect(said).not.toContain('CFG_NO_LISTENER')
    }
  })
  test('explain names the host of a user and where settings come from', async () => {
    await writeConfig('  org: { match: { domains: [example.org] } }\n')
    const { code, out } = await mailwright(['explain', 'alice@example.org', '--from', '192.0.2.1', '--listener', 'imap'])
    expect(code).toBe(0)
    expect(out).toContain('alice@example.org from 192.0.2.1 through listener imap (imap4, tls none) is served by host org')
    expect(out).toMatch(/hosts\.org\.auth\.plaintext +"always" +mailwright\.config\.yaml:/)
  })
  test('accounts are added, changed, listed and removed; the password is read from standard input', { timeout: 180_000 }, async () => {
    await writeConfig()
    expect(await mailwright(['user', 'add', 'alice'], 'first\n')).toMatchObject({ code: 0 })
    expect(await mailwright(['user', 'add', 'alice'], 'again\n')).toMatchObject({ code: 1 })
    expect(await mailwright(['user', 'add', 'bob'], '\n')).toMatchObject({ code: 1 })
    const before = await readFile(join(folder, 'users'), 'utf8')
    expect(before).not.toContain('first')
    expect((await stat(join(folder, 'users'))).mode & 0o077).toBe(0)
    expect(await mailwright(['user', 'passwd', 'alice'], 'second\n')).toMatchObject({ code: 0 })
    // Also of what nothing is done with.
    const unknown = { code: 64, err: expect.stringContaining('unknown format "mbxx": ') as string }
    expect(await mailwright(['mailbox', 'transfer', 'alice', 'archive', '--to', 'mbxx', '--dry-run'])).toMatchObject(unknown)
    expect(await mailwright(['user', 'passwd', 'nobody'])).toMatchObject({ code: 67, err: expect.stringContaining('there is no user "nobody"') as string })
    expect(await readFile(join(folder, 'users'), 'utf8')).not.toBe(before)
    expect((await mailwright(['user', 'list'])).out).toMatch(/^alice +\w/)
    expect(await mailwright(['user', 'remove', 'alice'])).toMatchObject({ code: 0 })
    expect(await mailwright(['user', 'remove', 'alice'])).toMatchObject({ code: 67 })
  })
})

describe('a server in a process of its own', () => {
  test('takes sockets from a service manager, reloads and stops (sd_listen_fds(3))', async () => {
    const config = await writeConfig()
    const listening = createServer()
    listening.listen(0, '127.0.0.1')
    await once(listening, 'listening')
    const address = listening.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    // The descriptor has no public name; nothing but this test needs it.
    const { fd } = (listening as unknown as { _handle: { fd: number } })._handle
    const server = start('/bin/sh', ['-c', 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath, CLI, 'serve', '--config', config], { LISTEN_FDS: '1', LISTEN_FDNAMES: 'imap' }, [fd])
    await until(server.stderr, /listening .*\n/)
    listening.close()
    const client = connect(address.port, '127.0.0.1')
    expect(await until(client, /\n/)).toMatch(/^\* OK \[CAPABILITY IMAP4REV1 /)
    expect(await mailwright(['reload'])).toMatchObject({ code: 0, out: expect.stringContaining('unchanged default') as string })
    await writeFile(config, `${await readFile(config, 'utf8')}    mailbox: { poll: soon }\n`)
    expect(await mailwright(['reload'])).toMatchObject({ code: 78, err: expect.stringContaining('nothing has changed') as string })
    client.write('a LOGOUT\r\n')
    await until(client, /a OK/)
    client.destroy()
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(await readdir(join(folder, 'run'))).toEqual([])
  })
  test('says what is wrong and ends with 78 when a port is taken', async () => {
    const taken = createServer()
    taken.listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const config = await writeConfig()
    await writeFile(config, (await readFile(config, 'utf8')).replace('port: 1,', `port: ${address.port},`))
    const done = await mailwright(['serve', '--config', config])
    taken.close()
    expect(done.code).toBe(78)
    expect(done.err).toContain('NET_ADDRESS_IN_USE')
    expect(done.err).toContain('mailwright.config.yaml:4')
  })
})

describe('one connection on standard input and output', () => {
  test('is the session of the account that is named', async () => {
    await writeConfig()
    await mkdir(join(folder, 'mail', 'alice'), { recursive: true })
    const { code, out } = await mailwright(['imapd', ...(process.getuid?.() === 0 ? ['--user', 'alice'] : [])], 'a SELECT INBOX\r\nb LOGOUT\r\n')
    expect(out).toMatch(/^\* PREAUTH \[CAPABILITY /)
    expect(out).toMatch(/\r\na OK \[READ-WRITE\]/)
    expect(out).toMatch(/\r\nb OK /)
    expect(code).toBe(0)
  })

  test('over POP3 there is a login, and what is deleted is gone at QUIT', async () => {
    await writeConfig()
    await mailwright(['user', 'add', 'alice'], 'secret\n')
    await mkdir(join(folder, 'mail', 'alice'), { recursive: true })
    await writeFile(join(folder, 'mail', 'alice', 'INBOX'), 'From bob Fri Jan  2 03:04:05 2026\nSubject: one\n\ntext\n\n')
    const first = await mailwright(['pop3d'], 'USER alice\r\nPASS secret\r\nDELE 1\r\nQUIT\r\n')
    expect(first.out.replace(/POP3 \S+/, 'POP3 HOST')).toBe('+OK POP3 HOST server ready\r\n+OK User name accepted, password please\r\n+OK Mailbox open, 1 messages\r\n+OK Message deleted\r\n+OK Sayonara\r\n')
    const second = await mailwright(['pop3d'], 'USER alice\r\nPASS secret\r\nSTAT\r\n')
    // The record that keeps the numbers is in the file, and is no message.
    expect(await readFile(join(folder, 'mail', 'alice', 'INBOX'), 'utf8')).toContain('FOLDER INTERNAL DATA')
    expect(second.out).toContain('+OK 0 0\r\n')
  })
})
