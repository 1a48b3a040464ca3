import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { has, run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'

/** What a session is told of a mailbox that others use, on the real server: at its first look, while it stays, and after a restart. */

let server: RunningServer
beforeEach(async () => {
  server = await startServer({ host: 'drivers: { use: [mbx, unix, dummy], create: unix, empty: unix }' })
})
afterEach(() => server.remove())

const message = (subject: string): string => `From: bob@example.org\r\nSubject: ${subject}\r\n\r\nText.\r\n`
const login = (): Promise<RawClient> => RawClient.login(server.ports.imap, 'alice')
const recentOf = (lines: readonly string[]): number => Number(/^\* (\d+) RECENT$/m.exec(lines.join('\n'))?.[1])
const valueOf = (lines: readonly string[], code: string): string | undefined => new RegExp(`\\[${code} (\\d+)\\]`).exec(lines.join('\n'))?.[1]

/** How many messages are recent for a session that selects the mailbox on the server as it is after a restart. */
async function recentAfter(end: 'stop' | 'kill'): Promise<number> {
  await server[end]()
  await server.again()
  const client = await login()
  const { untagged } = await client.do('SELECT box')
  await client.logout()
  return recentOf(untagged)
}
/** Sizes and times of the files that remember rows of mailboxes. */
async function rowsFiles(): Promise<string> {
  const found: string[] = []
  for (const entry of await readdir(server.folder, { recursive: true, withFileTypes: true })) {
    if (entry.name !== 'rows') continue
    const { size, mtimeMs } = await stat(join(entry.parentPath, entry.name))
    found.push(`${entry.parentPath} ${size} ${mtimeMs}`)
  }
  return found.toSorted().join('\n')
}

describe(String.raw`a message is \Recent to one session (RFC 3501 §2.3.2)`, () => {
  // The shortest life of a claim: told with the APPEND's own answer, and the session leaves at once.
  const leavings = ['CLOSE', 'UNSELECT', 'LOGOUT', 'drop'] as const
  const restarts = ['stop', 'none'] as const
  const ways = ['unix', 'mbx'].flatMap((format) => leavings.flatMap((leaving) => restarts.map((restart) => ({ format, leaving, restart }))))
  test.each(ways)('$format: told to a session that ends by $leaving (restart: $restart), to none afterwards', async ({ format, leaving, restart }) => {
    const first = await login()
    expect((await first.do(`CREATE #driver.${format}/box`)).status).toBe('OK')
    await first.do('SELECT box')
    const told = await first.append('box', message('one'))
    expect(recentOf(told.untagged)).toBe(1)
    if (leaving === 'drop') first.drop()
    else await first.do(leaving)
    if (restart === 'stop') {
      await server.stop()
      await server.again()
    }
    const second = await login()
    // After a drop the first session may still be ending; the answer is the same.
    const seen = await second.do('SELECT box')
    expect(recentOf(seen.untagged)).toBe(0)
    // Other programs find it in the file: `O`, or the bit for it.
    expect(await readFile(join(server.home('alice'), 'box'), 'latin1')).toMatch(format === 'unix' ? /^Status: .*O/m : /;0{8}00[1-3]\d-0{7}1\r\n/)
    await second.logout()
  })
  test('a session that hears of it late, when what is remembered of the mailbox was saved already', async () => {
    const first = await login()
    await first.do('CREATE box')
    await first.do('SELECT box')
    const other = await login()
    await other.append('box', message('one'))
    const before = await rowsFiles()
    for (let tries = 0; tries < 200 && (await rowsFiles()) === before; tries++) await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await rowsFiles()).not.toBe(before)
    expect(recentOf((await first.do('NOOP')).untagged)).toBe(1)
    await first.logout()
    await other.logout()
    expect(await recentAfter('stop')).toBe(0)
  }, 60_000)
  test('what only EXAMINE has seen stays recent for the next that selects, over a restart, and for it alone', async () => {
    const client = await login()
    await client.do('CREATE box')
    await client.append('box', message('one'))
    expect(recentOf((await client.do('EXAMINE box')).untagged)).toBe(1)
    await client.logout()
    expect(await recentAfter('stop')).toBe(1)
    expect(await recentAfter('kill')).toBe(0)
  })
})

describe('the first message of an INBOX that is empty or missing, while a session has it open', () => {
  const mail = 'From: sender@example.org\nSubject: first\n\nText.\n'
  const deliverers = [
    { program: 'mailwright deliver', there: true, deliver: () => run(process.execPath, [CLI, 'deliver', 'alice', '--config', server.config], { input: mail }) },
    {
      program: 'procmail', there: has('procmail'),
      deliver: async () => {
        const rc = join(server.folder, 'procmailrc')
        await writeFile(rc, `:0:\n${server.inbox('alice')}\n`, { mode: 0o600 })
        return run('procmail', ['-m', rc], { input: `From sender@example.org Mon Jan  5 09:08:07 2026\n${mail}`, limitMs: 60_000 })
      },
    },
  ]
  const cases = deliverers.flatMap((d) => (['empty', 'missing'] as const).map((file) => ({ ...d, file })))
  for (const { program, there, deliver, file } of cases) {
    test.skipIf(!there)(`${program}, ${file} file: the session goes on, and later sessions have its UIDVALIDITY`, async () => {
      const { inbox } = server
      if (file === 'empty') await writeFile(inbox('alice'), '')
      else await rm(inbox('alice'), { force: true })
      const client = await login()
      const opened = await client.do('SELECT INBOX')
      expect(opened.untagged).toContain('* 0 EXISTS')
      // Another second: two clocks that agree by chance prove nothing.
      await new Promise((resolve) => setTimeout(resolve, 1100))
      expect((await deliver()).code).toBe(0)
      const news = await client.do('NOOP')
      expect(news).toMatchObject({ status: 'OK' })
      expect(news.untagged).toContain('* 1 EXISTS')
      expect((await client.do('FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')).untagged.join('\n')).toMatch(/UID 1 .*Subject: first/s)
      const validity = valueOf([...opened.untagged, ...news.untagged].toReversed(), 'UIDVALIDITY')
      await client.logout()
      await server.stop()
      expect(/^X-IMAP(?:base)?: 0*(\d+) /m.exec(await readFile(inbox('alice'), 'latin1'))?.[1]).toBe(validity)
      await server.again()
      const second = await login()
      expect(valueOf((await second.do('SELECT INBOX')).untagged, 'UIDVALIDITY')).toBe(validity)
      await second.logout()
    })
  }
})

describe('what the first look at a mailbox finds is told before the tagged line', () => {
  // A number that comes twice (spec of the format: warning, then new numbers for all).
  const twice = ['one', 'two'].map((s) => `From bob@example.org Mon Nov 23 01:44:50 2026\n${s === 'one' ? 'X-IMAPbase: 1000000000 2\n' : ''}Subject: ${s}\nX-UID: 2\nStatus: RO\n\nHello.\n\n`).join('')
  test('SELECT and EXAMINE; not again to the same session', async () => {
    for (const command of ['SELECT', 'EXAMINE']) {
      await writeFile(join(server.home('alice'), `box${command}`), twice)
      const client = await login()
      const { status, untagged } = await client.do(`${command} box${command}`)
      expect(status).toBe('OK')
      expect(untagged.filter((line) => line.startsWith('* NO ')), command).toEqual([expect.stringMatching(/^\* NO Message 2 UID 2 /)])
      expect((await client.do('NOOP')).untagged).toEqual([])
      await client.logout()
    }
  })
})
