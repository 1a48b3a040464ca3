import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, copyFile, cp, mkdir, mkdtemp, readFile, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run, type Ran } from '../support/programs.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, subjectsIn as subjectsOf } from '../support/sample-mailbox.js'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
const CLI = join(PACKAGE, 'dist/core/main/cli.js')
const subjectsIn = async (path: string): Promise<string[]> => subjectsOf(await readFile(path, 'latin1'))
const mail = (subject: string, text = 'Text.\n'): string => `From: sender@example.org\nTo: alice@example.org\nSubject: ${subject}\n\n${text}`

describe('mailwright deliver', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.remove())

  const deliver = (words: readonly string[], input: string): Promise<Ran> => run(process.execPath, [CLI, 'deliver', ...words, '--config', server.config], { input, limitMs: 600_000 })
  async function login(): Promise<RawClient> {
    return RawClient.login(server.ports.imap, 'alice')
  }

  test('files a message into the mailbox that a session of the server has open, which is told', async () => {
    expect(await deliver(['alice'], mail('zeroth'))).toMatchObject({ code: 0 })
    const client = await login()
    await client.do('SELECT INBOX')
    expect(await deliver(['alice', '-f', 'bob@example.net', '-s', '-k', '$Work'], mail('first'))).toMatchObject({ code: 0 })
    expect((await client.do('NOOP')).untagged).toContain('* 2 EXISTS')
    const { untagged } = await client.do('FETCH 2 (FLAGS BODY.PEEK[HEADER.FIELDS (RETURN-PATH SUBJECT)])')
    const text = untagged.join('\n')
    expect(text).toContain('\\Seen')
    expect(text).toContain('$Work')
    expect(text).toContain('Return-Path: <bob@example.net>\r\nSubject: first')
    await client.logout()
  })
  test('files into a folder that exists; one that is missing, or may not be named by mail, is no reason to lose a message', async () => {
    const client = await login()
    await client.do('CREATE lists')
    expect((await deliver(['alice+lists'], mail('to the folder'))).code).toBe(0)
    const missing = await deliver(['alice+nowhere'], mail('to INBOX'))
    expect(missing).toMatchObject({ code: 0 })
    expect(missing.stderr).toContain('folder=nowhere')
    expect((await deliver(['alice', '+../bob/INBOX'], mail('not to bob'))).code).toBe(0)
    expect((await deliver(['alice', '+made', '--create'], mail('made'))).code).toBe(0)
    expect(await subjectsIn(join(server.home('alice'), 'lists'))).toEqual(['to the folder'])
    expect(await subjectsIn(join(server.home('alice'), 'made'))).toEqual(['made'])
    expect((await subjectsIn(server.inbox('alice'))).slice(-2)).toEqual(['to INBOX', 'not to bob'])
    await client.logout()
  })
  const refused = [
    { name: 'nobody by that name', words: ['carol'], input: mail('x'), code: 67 },
    { name: 'an empty message', words: ['alice'], input: 'From x Mon Jan  5 09:08:07 2026\n', code: 65 },
    { name: 'two recipients', words: ['alice', 'bob'], input: mail('x'), code: 75 },
    { name: 'an unknown option', words: ['alice', '--nonsense'], input: mail('x'), code: 75 },
    { name: 'a configuration that is missing', words: ['alice', '--config', '/nowhere/x.yaml'], input: mail('x'), code: 75 },
    { name: 'nobody by that name, where every failure is temporary', words: ['carol', '--all-temporary'], input: mail('x'), code: 75 },
  ]
  test.each(refused)('$name: exit code $code, and nothing is delivered', async ({ words, input, code }) => {
    const before = await readFile(server.inbox('alice'), 'latin1')
    const config = words.includes('--config') ? [] : ['--config', server.config]
    const ran = await run(process.execPath, [CLI, 'deliver', ...words, ...config], { input, limitMs: 600_000 })
    expect(ran.code, ran.stderr).toBe(code)
    expect(ran.stderr).not.toBe('')
    expect(await readFile(server.inbox('alice'), 'latin1')).toBe(before)
  })
  test('an INBOX that is no mailbox stays as it is, and the message stays with the transport', async () => {
    await writeFile(server.inbox('bob'), 'no mailbox at all\n')
    const ran = await deliver(['bob'], mail('x'))
    expect(ran.code, ran.stderr).toBe(75)
    expect(ran.stderr).toContain('not in valid mailbox format')
    expect(await readFile(server.inbox('bob'), 'latin1')).toBe('no mailbox at all\n')
  })
  test.each(['main/command-line.js', 'main/commands/deliver.js', 'mail/plugin.js', 'main/exit-codes.js'])('a program of which %s is not there yet makes the message wait', async (missing) => {
    const half = join(server.home('alice'), '../half-installed')
    await cp(join(PACKAGE, 'dist/core'), join(half, 'dist/core'), { recursive: true })
    await copyFile(join(PACKAGE, 'package.json'), join(half, 'package.json'))
    await symlink(join(PACKAGE, 'node_modules'), join(half, 'node_modules'))
    await rm(join(half, 'dist/core', missing))
    const ran = await run(process.execPath, [join(half, 'dist/core/main/cli.js'), 'deliver', 'alice', '--config', server.config], { input: mail('x'), limitMs: 600_000 })
    expect(ran).toMatchObject({ code: 75 })
    expect(ran.stderr).toContain('ERR_MODULE_NOT_FOUND')
    await rm(half, { recursive: true })
  })
  test('an INBOX on a file system that is not mounted makes the message wait', async () => {
    await rm(server.inbox('bob'), { force: true })
    await symlink('/nowhere/bob', server.inbox('bob'))
    expect(await deliver(['bob'], mail('x'))).toMatchObject({ code: 75 })
    await rm(server.inbox('bob'))
    await mkdir(server.inbox('bob'))
    expect(await deliver(['bob'], mail('x'))).toMatchObject({ code: 75 })
    await rmdir(server.inbox('bob'))
  })
  test('killed at any moment: a message is there as a whole or not at all, and always when the code was 0', { timeout: 600_000 }, async () => {
    const random = randomOf(seedOf('deliver-kill'))
    await rm(server.inbox('bob'), { force: true })
    const whole = `${'0123456789'.repeat(7)}\n`.repeat(4000)
    const done: string[] = []
    const begun: string[] = []
    const kill = async (subject: string, after: number): Promise<void> => {
      begun.push(subject)
      const child = spawn(process.execPath, [CLI, 'deliver', 'bob', '--config', server.config], { stdio: ['pipe', 'ignore', 'ignore'] })
      child.stdin.on('error', () => undefined)
      if (after < 0) child.stdin.write(mail(subject, whole))
      else child.stdin.end(mail(subject, whole))
      const ended = once(child, 'exit')
      await Promise.race([ended, pause(Math.abs(after))])
      child.kill('SIGKILL')
      await ended
      if (child.exitCode === 0) done.push(subject)
    }
    // Before the end of the input nothing can have come; afterwards anything may have.
    await kill('unfinished', -900)
    for (let i = 0; i < (LONG ? 100 : 6); i++) await kill(`k${i}`, 300 + random() * 900)
    expect((await deliver(['bob'], mail('last', whole))).code).toBe(0)
    const found = messagesIn(await readFile(server.inbox('bob'), 'latin1'))
    const subjects = await subjectsIn(server.inbox('bob'))
    expect(subjects.at(-1)).toBe('last')
    expect(subjects).not.toContain('unfinished')
    expect(new Set(subjects).size).toBe(subjects.length)
    for (const subject of done) expect(subjects).toContain(subject)
    for (const message of found) expect(message.split('0123456789'.repeat(7)).length - 1).toBe(4000)
  })

  test.skipIf(!has('maildrop'))('maildrop hands over through a pipe, as LF and with a From line', async () => {
    const filter = join(server.folder, 'mailfilter')
    await writeFile(filter, `if (/^Subject:.*folder/)\n{\n  to "| ${process.execPath} ${CLI} deliver alice +lists --user-mode --config ${server.config}"\n}\nto "| ${process.execPath} ${CLI} deliver alice --config ${server.config}"\n`, { mode: 0o600 })
    const env = { HOME: server.home('alice') }
    for (const subject of ['by maildrop', 'by maildrop to the folder']) {
      const ran = await run('maildrop', [filter], { input: mail(subject, 'one\nFrom two\n'), env, limitMs: 600_000 })
      expect(ran.code, ran.stderr).toBe(0)
    }
    expect((await subjectsIn(server.inbox('alice'))).at(-1)).toBe('by maildrop')
    expect((await subjectsIn(join(server.home('alice'), 'lists'))).at(-1)).toBe('by maildrop to the folder')
  })
  test.skipIf(!has('maildrop'))('maildrop defers what is refused', async () => {
    const filter = join(server.folder, 'mailfilter-carol')
    await writeFile(filter, `to "| ${process.execPath} ${CLI} deliver carol --all-temporary --config ${server.config}"\n`, { mode: 0o600 })
    const ran = await run('maildrop', [filter], { input: mail('to nobody'), env: { HOME: server.home('alice') }, limitMs: 600_000 })
    expect(ran.code).toBe(75)
  })
})

describe.skipIf(process.getuid?.() !== 0)('mailwright deliver as root', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailwright-deliver-'))
    await chmod(folder, 0o755)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('works with the rights of whoever owns the home', async () => {
    const home = join(folder, 'mail', 'alice')
    await mkdir(home, { recursive: true })
    await chown(home, 65_534, 65_534)
    await writeFile(
      join(folder, 'mailwright.config.yaml'),
      `version: 1
server: { runDirectory: run }
listeners: { imap: { protocol: imap4, address: 127.0.0.1, port: 1, tls: none } }
hosts:
  default:
    auth: { passwords: [{ use: file, path: users }], users: [{ use: virtual, data: mail }] }
    namespaces: [{ use: mailboxfile, inboxPath: '{home}/INBOX' }]
`,
    )
    await writeFile(join(folder, 'users'), 'alice:{SCRYPT}x\n', { mode: 0o600 })
    const ran = await run(process.execPath, [CLI, 'deliver', 'alice', '--config', join(folder, 'mailwright.config.yaml')], { input: mail('owned'), limitMs: 600_000 })
    expect(ran.code, ran.stderr).toBe(0)
    expect(await stat(join(home, 'INBOX'))).toMatchObject({ uid: 65_534, gid: 65_534 })
  })
})
