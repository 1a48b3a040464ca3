import { spawnSync } from 'node:child_process'
import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANY_ACCOUNT, hasPam, pamSleep, pamTable } from '../support/pam.js'
import { has, run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const alice = [{ name: 'alice', password: 'secret' }]
const writeRules = async (folder: string, rules: Readonly<Record<string, string>>): Promise<void> => {
  await mkdir(join(folder, 'pam.d'), { recursive: true })
  for (const [service, text] of Object.entries(rules)) await writeFile(join(folder, 'pam.d', service), text)
}
const login = async (port: number, user: string, password: string): Promise<string> => {
  const client = await RawClient.open(port)
  const { status, text, untagged } = await client.do(`LOGIN ${user} ${password}`)
  client.drop()
  return [...untagged, `${status} ${text.replace(/\[CAPABILITY [^\]]*\] /, '')}`].join('\n')
}

describe.skipIf(!hasPam)('passwords of PAM', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({
      auth: 'passwords: [ { use: pam, folder: pam.d, timeout: 5s, parallel: 2 } ]',
      prepare: async (folder) => {
        const at = join(folder, 'rules')
        await mkdir(at)
        await writeFile(join(at, 'hello'), 'Password of %u expires in 3 days')
        await writeRules(folder, {
          imap: `${await pamTable(at, 'imap', [...alice, { name: 'bob', password: 'secret' }])}account [success=1 default=ignore] pam_succeed_if.so quiet user = alice
account requisite pam_debug.so acct=acct_expired
account optional pam_echo.so file=${join(at, 'hello')}
${ANY_ACCOUNT}`,
          pop: `${await pamTable(at, 'pop', [{ name: 'alice', password: 'of pop' }])}${ANY_ACCOUNT}`,
        })
      },
    })
  })
  afterAll(() => server?.remove())

  test('IMAP asks the service imap, and shows what it says', async () => {
    expect(await login(server.ports.imap, 'alice', 'secret')).toBe('* OK [ALERT] Password of alice expires in 3 days\nOK User alice authenticated')
  })
  test('a wrong password, an unknown user and an account that has expired are told the same; the log knows', async () => {
    const answers = [await login(server.ports.imap, 'alice', 'wrong'), await login(server.ports.imap, 'nobody', 'secret'), await login(server.ports.imap, 'bob', 'secret')]
    expect(answers).toEqual(Array.from({ length: 3 }, () => 'NO [AUTHENTICATIONFAILED] LOGIN failed'))
    await expect.poll(() => server.log()).toMatch(/Login failed.*user"?[=:]\s*"?bob.*expired/)
    expect(server.log()).toMatch(/PAM refuses.*bob.*account.*expired/i)
  })
  test.skipIf(!has('curl'))('POP3 asks the service pop', async () => {
    const curl = (password: string): ReturnType<typeof run> => run('curl', ['-sS', '-u', `alice:${password}`, '--login-options', 'AUTH=PLAIN', `pop3://localhost:${server.ports.pop3}/`])
    expect([(await curl('of pop')).code, (await curl('secret')).code]).toEqual([0, 67])
  })
  test.skipIf(!has('curl'))('the list of mechanisms is what it was: only passwords come this way', async () => {
    const { stdout } = await run('curl', ['-sS', '-X', 'CAPABILITY', `imap://localhost:${server.ports.imap}/`])
    expect(stdout).toMatch(/AUTH=PLAIN/)
    expect(stdout).not.toMatch(/AUTH=(?:GSSAPI|SCRAM|CRAM|DIGEST)/)
  })
  test('while the service of POP3 hangs its logins end as outages, and those of IMAP go on', async () => {
    await writeFile(join(server.folder, 'pam.d', 'pop'), await pamSleep(join(server.folder, 'rules'), 600))
    const curl = run('curl', ['-v', '-sS', '-u', 'alice:secret', '--login-options', 'AUTH=PLAIN', `pop3://localhost:${server.ports.pop3}/`])
    for (let i = 0; i < 5; i++) expect(await login(server.ports.imap, 'alice', 'secret')).toContain('OK User alice authenticated')
    expect((await curl).stderr).toMatch(/-ERR \[SYS\/TEMP\]/)
  })
  test('rules that cannot be followed are an outage for the client, with the reason in the log', async () => {
    await writeRules(server.folder, { imap: 'auth required pam_no_such_module.so\n' })
    expect(await login(server.ports.imap, 'alice', 'secret')).toMatch(/^NO \[UNAVAILABLE\] LOGIN failed/)
    await expect.poll(() => server.log()).toMatch(/warn +Login unavailable user=alice .*authenticate: Module is unknown/)
  })
})

describe.skipIf(process.getuid?.() !== 0 || !hasPam)('homes that nobody enters without a token (needs root)', () => {
  let server: RunningServer
  const mode = async (): Promise<number> => (await stat(server.home('alice'))).mode & 0o777
  beforeAll(async () => {
    server = await startServer({
      top: 'processes: { model: per-user, idle: 1s }',
      auth: 'passwords: [ { use: pam, folder: pam.d, token: { program: token, services: [ imap ] } } ]',
      users: '[ { use: file, path: passwd } ]',
      prepare: async (folder) => {
        await chmod(folder, 0o711)
        await writeRules(folder, { imap: `${await pamTable(join(folder, 'rules'), 'imap', alice)}${ANY_ACCOUNT}` })
        await writeFile(join(folder, 'passwd'), `alice:x:64001:64001::${join(folder, 'mail', 'alice')}:/bin/false\n`)
        // What a cell of AFS does for the owner of a token, a home does here whose mode its owner alone can change.
        await writeFile(join(folder, 'token'), '#!/bin/sh\ncase $1 in\n  obtain) [ "$(cat)" = secret ] && exec chmod 700 "$HOME" ;;\n  drop) exec chmod 000 "$HOME" ;;\nesac\n')
        await chmod(join(folder, 'token'), 0o755)
        await chown(join(folder, 'mail', 'alice'), 64_001, 64_001)
        await chmod(join(folder, 'mail', 'alice'), 0o000)
      },
    })
  })
  afterAll(() => server?.remove())
  test('open with the login, before the mail is touched, and close with the last session', async () => {
    const [first, second] = [await RawClient.login(server.ports.imap, 'alice'), await RawClient.login(server.ports.imap, 'alice')]
    expect((await first.append('INBOX', 'Subject: hello\r\n\r\nA line.\r\n')).status).toBe('OK')
    first.drop()
    await expect.poll(() => server.log()).toMatch(/end of file.*user=alice/)
    expect((await second.do('SELECT INBOX')).untagged).toContain('* 1 EXISTS')
    expect(await mode()).toBe(0o700)
    second.drop()
    await expect.poll(mode, { timeout: 20_000 }).toBe(0)
    const third = await RawClient.login(server.ports.imap, 'alice')
    expect((await third.do('SELECT INBOX')).untagged).toContain('* 1 EXISTS')
    third.drop()
    await expect.poll(mode, { timeout: 20_000 }).toBe(0)
  })
  test('a server that ends drops the tokens of its sessions', async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect(await mode()).toBe(0o700)
    await server.stop()
    expect(await mode()).toBe(0)
    client.drop()
    await server.again()
  })
})

// Only a machine that is made for tests gets an account.
describe.skipIf(process.getuid?.() !== 0 || process.env['CI'] !== 'true' || !hasPam)('an account of the machine (needs root, and CI=true)', () => {
  const user = `mwpam${process.pid}`
  let server: RunningServer
  const do_ = (program: string, args: readonly string[], input = ''): void => {
    const { status, stderr } = spawnSync(program, args, { input })
    if (status !== 0) throw new Error(`${program}: ${stderr.toString()}`)
  }
  beforeAll(async () => {
    do_('useradd', ['--create-home', '--shell', '/usr/sbin/nologin', user])
    do_('chpasswd', [], `${user}:correct horse\n`)
    const rules = 'auth required pam_unix.so\naccount required pam_unix.so\n'
    server = await startServer({
      top: 'processes: { model: per-user }',
      auth: 'passwords: [ { use: pam, folder: pam.d } ]',
      users: '[ system ]',
      prepare: async (folder) => {
        await writeRules(folder, { imap: rules, pop: rules })
        do_('chmod', ['711', folder])
      },
    })
  })
  afterAll(async () => {
    await server?.remove()
    do_('userdel', ['--remove', '--force', user])
  })
  test('logs in with its password, and with no other', async () => {
    expect(await login(server.ports.imap, user, '"correct horse"')).toBe(`OK User ${user} authenticated`)
    expect(await login(server.ports.imap, user, 'x')).toBe('NO [AUTHENTICATIONFAILED] LOGIN failed')
    expect(await login(server.ports.imap, 'root', 'x')).toBe('NO [AUTHENTICATIONFAILED] LOGIN failed')
  })
  test('hears that its password is about to expire, and is refused when it has', async () => {
    const today = Math.floor(Date.now() / 86_400_000)
    do_('chage', ['--lastday', String(today - 8), '--maxdays', '10', '--warndays', '7', user])
    expect(await login(server.ports.imap, user, '"correct horse"')).toMatch(/^\* OK \[ALERT\] .*your password will expire in \d days?.*\nOK User/)
    do_('chage', ['--lastday', '0', user])
    expect(await login(server.ports.imap, user, '"correct horse"')).toBe('NO [AUTHENTICATIONFAILED] LOGIN failed')
    await expect.poll(() => server.log()).toMatch(/must-change/)
  })
})
