import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { NOBODY } from '../support/nobody-session.js'
import { has, run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'
import { SAMPLE_MAILBOX, messagesIn, subjectsIn } from '../support/sample-mailbox.js'

/** The configuration of the guide, with a directory of the test in place of `/srv/mail`. */
async function blackBox(box: string): Promise<{ readonly namespaces: string; readonly host: string }> {
  const page = await readFile(new URL('../../docs/guide/configure.md', import.meta.url), 'utf8')
  const [, yaml = ''] = /^### Mail outside of the home directories.*?^```yaml\n(.*?)^```$/ms.exec(page) ?? []
  const { hosts } = parse(yaml.replaceAll('/srv/mail/', `${box}/`)) as { readonly hosts: { readonly default: Readonly<Record<string, unknown>> } }
  const { namespaces, ...rest } = hosts.default
  return { namespaces: JSON.stringify(namespaces), host: Object.entries(rest).map(([key, value]) => `${key}: ${JSON.stringify(value)}`).join('\n') }
}

describe('the black box of the guide (FAQ 3.4)', () => {
  let box = ''
  let server: RunningServer
  beforeAll(async () => {
    box = await mkdtemp(join(tmpdir(), 'mailwright-black-box-'))
    await chmod(box, 0o755)
    for (const user of ['alice', 'carol']) await mkdir(join(box, user))
    await writeFile(join(box, 'alice', 'INBOX'), SAMPLE_MAILBOX)
    await writeFile(join(box, 'carol', 'box'), SAMPLE_MAILBOX)
    server = await startServer(await blackBox(box))
    // What would be mail of alice where mail is in home directories.
    await writeFile(join(server.home('alice'), 'mbox'), SAMPLE_MAILBOX)
    await writeFile(join(server.home('alice'), 'letters'), SAMPLE_MAILBOX)
  })
  afterAll(async () => {
    await server.remove()
    await rm(box, { recursive: true, force: true })
  })

  test('all that belongs to a user is there, and nothing in the home directory is touched or named', { timeout: 60_000 }, async () => {
    const before = await readdir(server.home('alice'))
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('STATUS INBOX (MESSAGES)')).untagged).toEqual([`* STATUS INBOX (MESSAGES ${messagesIn(SAMPLE_MAILBOX).length})`])
    for (const command of ['CREATE lists/linux', 'SUBSCRIBE lists/linux', 'SELECT INBOX', 'COPY 1 lists/linux']) expect([command, (await client.do(command)).status]).toEqual([command, 'OK'])
    expect((await client.do('LIST "" *')).untagged.map((line) => line.replace(/^\* LIST \(.*?\) (?:"\/"|NIL) /, ''))).toEqual(['INBOX', 'lists', 'lists/linux'])
    await client.logout()
    expect(await readdir(server.home('alice'))).toEqual(before)
    expect(await readFile(join(server.home('alice'), 'mbox'), 'latin1')).toBe(SAMPLE_MAILBOX)
    expect((await readdir(join(box, 'alice'))).toSorted()).toEqual(['.mailboxlist', '.mailwright', 'INBOX', 'lists'])
    expect(messagesIn(await readFile(join(box, 'alice', 'lists', 'linux'), 'latin1'))).toHaveLength(1)
  })

  test('no name leads out of it, nor to another user', { timeout: 60_000 }, async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    const outside = [`${box}/carol/box`, '../carol/box', 'x/../../carol/box', '~carol/box', '~root/box', '/etc/passwd', `${server.home('alice')}/letters`, '/carol/box', `#driver.unix/${box}/carol/new`]
    for (const name of outside) for (const command of [`EXAMINE "${name}"`, `CREATE "${name}"`, `DELETE "${name}"`, `RENAME INBOX "${name}"`, `LIST "" "${name}"`]) {
      const { status, untagged } = await client.do(command)
      expect([command, status === 'OK' ? untagged : 'refused']).toEqual([command, command.startsWith('LIST') ? (status === 'OK' ? [] : 'refused') : 'refused'])
    }
    await client.logout()
    expect((await readdir(join(box, 'carol'))).toSorted()).toEqual(['box'])
    expect(await readFile(join(box, 'carol', 'box'), 'latin1')).toBe(SAMPLE_MAILBOX)
  })

  test('mail is delivered there; a user without a directory gets one with the first message', { timeout: 60_000 }, async () => {
    const deliver = async (user: string): Promise<number | null> => (await run(process.execPath, [CLI, 'deliver', user, '--config', server.config], { input: 'Subject: delivered\n\nx\n' })).code
    expect([await deliver('alice'), await deliver('bob')]).toEqual([0, 0])
    for (const user of ['alice', 'bob']) expect(subjectsIn(await readFile(join(box, user, 'INBOX'), 'latin1')).at(-1)).toBe('delivered')
    const client = await RawClient.login(server.ports.imap, 'bob')
    expect((await client.do('STATUS INBOX (MESSAGES)')).untagged).toEqual(['* STATUS INBOX (MESSAGES 1)'])
    await client.logout()
    expect(await readdir(server.home('bob'))).toEqual([])
  })
})

/** An account of the machine could reach more than its directory: its rights on the files allow it. Only root can be somebody else. */
describe.runIf(process.getuid?.() === 0 && has('setpriv'))('the black box of the guide, for an account of the machine in a process of its own', () => {
  test('its mail is there and nowhere else; a directory that is missing is not made, and refused in words', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mailwright-black-box-'))
    try {
      const box = join(folder, 'box')
      const home = join(folder, 'home')
      for (const made of [box, join(box, 'nobody'), home]) await mkdir(made)
      for (const theirs of [join(box, 'nobody'), home]) await chown(theirs, NOBODY, NOBODY)
      for (const open of [folder, box]) await chmod(open, 0o755)
      for (const path of [join(box, 'nobody', 'INBOX'), join(home, 'letters')]) {
        await writeFile(path, SAMPLE_MAILBOX)
        await chown(path, NOBODY, NOBODY)
      }
      const { namespaces, host } = await blackBox(box)
      const config = join(folder, 'mailwright.config.yaml')
      await writeFile(config, `version: 1\nlog: [ { use: stderr, level: warn } ]\nhosts:\n  default:\n    auth: { passwords: [], users: [ system ] }\n    namespaces: ${namespaces}\n${host.replaceAll(/^/gm, '    ')}\n`)
      const session = async (commands: readonly string[]): Promise<string> => {
        const args = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath, CLI, 'imapd', '--config', config]
        return (await run('setpriv', args, { cwd: folder, env: { HOME: home, PATH: process.env['PATH'] ?? '' }, input: [...commands, 'LOGOUT'].map((command, i) => `t${i} ${command}\r\n`).join('') })).stdout
      }
      const said = await session(['STATUS INBOX (MESSAGES)', 'CREATE kept', `EXAMINE "${home}/letters"`, 'EXAMINE "~root/box"', 'EXAMINE letters'])
      expect(said).toContain(`(MESSAGES ${messagesIn(SAMPLE_MAILBOX).length})`)
      expect([...said.matchAll(/^t(\d) (OK|NO|BAD)/gm)].map(([, at, status]) => `${at} ${status}`)).toEqual(['0 OK', '1 OK', '2 NO', '3 NO', '4 NO', '5 OK'])
      expect([await readdir(home), (await readdir(join(box, 'nobody'))).toSorted()]).toEqual([['letters'], ['.mailwright', 'INBOX', 'kept']])
      await rm(join(box, 'nobody'), { recursive: true })
      const without = await session(['STATUS INBOX (MESSAGES)', 'CREATE kept', `APPEND INBOX {3+}\r\nx\r\n`])
      expect(without.match(/^t[12] .*$/gm)).toEqual(["t1 NO [NOPERM] CREATE failed: Can't create mailbox kept: access denied", 't2 NO [NOPERM] APPEND failed: access denied'])
      expect(await readdir(box)).toEqual([])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
