import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { familyHome, mailutil } from '../support/directory-formats.js'
import { has, run } from '../support/programs.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'

const stored = (subject: string, status = ''): string => `From bob@example.org Mon Nov 23 01:44:50 2026\nSubject: ${subject}\n${status}\nHello.\n\n`

describe('INBOX in ~/mbox', () => {
  let server: RunningServer
  beforeEach(async () => {
    server = await startServer({
      host: 'drivers: { use: [mbox, mix, mbx, unix, dummy] }',
      namespaces: "[ { use: mailboxfile, spool: spool, inboxPath: '{spool}/{user}' } ]",
      prepare: async (folder) => void (await mkdir(join(folder, 'spool'), { mode: 0o1777 })),
    })
  })
  afterEach(() => server.remove())
  const alice = (): Promise<RawClient> => RawClient.login(server.ports.imap, 'alice')
  const spool = (): string => join(server.folder, 'spool/alice')
  const mbox = (): string => join(server.home('alice'), 'mbox')
  const text = (path: string): Promise<string> => readFile(path, 'latin1')
  async function subjects(client: RawClient, mailbox = 'INBOX'): Promise<readonly string[]> {
    expect((await client.do(`SELECT ${mailbox}`)).status).toBe('OK')
    const { untagged } = await client.do('FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    return untagged.flatMap((line) => /Subject: (\S+)/.exec(line)?.[1] ?? [])
  }

  test('mail is moved there with flags and dates when the file is there, also an empty one, and told in the log (FAQ 7.6, 7.7)', async () => {
    await writeFile(spool(), stored('one', 'Status: RO\n') + stored('two'))
    const before = await alice()
    expect(await subjects(before)).toEqual(['one', 'two'])
    await before.logout()
    await writeFile(mbox(), '', { mode: 0o600 })
    const client = await alice()
    expect(await subjects(client)).toEqual(['one', 'two'])
    expect((await client.do('FETCH 1:2 (FLAGS INTERNALDATE)')).untagged).toEqual([
      '* 1 FETCH (FLAGS (\\Recent \\Seen) INTERNALDATE "23-Nov-2026 01:44:50 +0000")', '* 2 FETCH (FLAGS (\\Recent) INTERNALDATE "23-Nov-2026 01:44:50 +0000")',
    ])
    expect(await text(spool())).not.toContain('Hello.')
    expect((await text(mbox())).match(/^Subject: (?:one|two)$/gm)).toHaveLength(2)
    expect(server.log()).toMatch(new RegExp(`Moved \\d+ bytes of new mail to ${mbox()} from ${spool()}`))
    await client.logout()
    // What comes later, and what a client puts there.
    await appendFile(spool(), stored('three'))
    const later = await alice()
    expect((await later.append('INBOX', 'Subject: own\r\n\r\nhello\r\n')).status).toBe('OK')
    expect(await subjects(later)).toEqual(['one', 'two', 'own', 'three'])
    expect((await later.do('STORE 1:3 +FLAGS (\\Deleted)')).status).toBe('OK')
    await later.do('EXPUNGE')
    await later.logout()
    expect((await text(mbox())).match(/^Subject: (\S+)$/gm)).toEqual(['Subject: three'])
  })

  test('STATUS counts what waits to be moved, without moving it', async () => {
    await writeFile(mbox(), '', { mode: 0o600 })
    const client = await alice()
    expect(await subjects(client)).toEqual([])
    await client.do('CLOSE')
    const empty = (await client.do('STATUS INBOX (MESSAGES UNSEEN UIDNEXT)')).untagged[0] ?? ''
    expect(empty).toBe('* STATUS INBOX (MESSAGES 0 UNSEEN 0 UIDNEXT 1)')
    await writeFile(spool(), stored('one', 'Status: RO\n') + stored('two') + stored('gone', 'X-Status: D\n'))
    const content = await text(spool())
    expect((await client.do('STATUS INBOX (MESSAGES UNSEEN UIDNEXT)')).untagged).toEqual(['* STATUS INBOX (MESSAGES 2 UNSEEN 1 UIDNEXT 3)'])
    expect([await text(spool()), await text(mbox())]).toEqual([content, ''])
    await client.logout()
    const later = await alice()
    expect(await subjects(later)).toEqual(['one', 'two'])
    expect(await text(spool())).toContain('Subject: gone')
    await later.logout()
  })

  test('CREATE #driver.mbox/INBOX makes the file; no other mailbox is made in the format', async () => {
    await writeFile(spool(), stored('one'))
    const client = await alice()
    expect((await client.do('CREATE #driver.mbox/other')).status).toBe('NO')
    expect((await client.do('CREATE #driver.mbox/INBOX')).status).toBe('OK')
    expect((await client.do('CREATE #driver.mbox/INBOX')).text).toContain('exists')
    expect(await subjects(client)).toEqual(['one'])
    // RENAME of INBOX leaves it empty, where it is.
    await client.do('UNSELECT')
    expect((await client.do('RENAME INBOX old')).status).toBe('OK')
    expect(await subjects(client, 'old')).toEqual(['one'])
    expect(await subjects(client)).toEqual([])
    expect((await stat(mbox())).isFile()).toBe(true)
    await client.logout()
  })

  test('a file of another format is no INBOX, and where mail is delivered below the home itself mbox is a name like others', async () => {
    await writeFile(spool(), stored('one'))
    await writeFile(mbox(), 'no mailbox\n')
    const client = await alice()
    expect(await subjects(client)).toEqual(['one'])
    await client.logout()
    expect(await text(mbox())).toBe('no mailbox\n')
    const own = await startServer({ host: 'drivers: { use: [mbox, unix, dummy] }' })
    try {
      await writeFile(own.inbox('alice'), stored('delivered'))
      const other = await RawClient.login(own.ports.imap, 'alice')
      // Nobody would ever read what is made in its place.
      expect((await other.do('CREATE #driver.mbox/INBOX')).status).toBe('NO')
      expect(await readdir(own.home('alice'))).not.toContain('mbox')
      expect((await other.do('CREATE mbox')).status).toBe('OK')
      expect((await other.append('mbox', 'Subject: filed\r\n\r\nhello\r\n')).status).toBe('OK')
      expect(await subjects(other)).toEqual(['delivered'])
      expect(await subjects(other, 'mbox')).toEqual(['filed'])
      await other.logout()
    } finally {
      await own.remove()
    }
  })

  test.skipIf(!has('mailutil'))('programs of the c-client family read what we moved and what we left, and we go on with what they change', async () => {
    await writeFile(spool(), stored('one', 'Status: RO\n') + stored('two'))
    await writeFile(mbox(), '', { mode: 0o600 })
    const client = await alice()
    expect(await subjects(client)).toEqual(['one', 'two'])
    const { untagged } = await client.do('FETCH 1:2 UID')
    await client.logout()
    const home = await familyHome()
    for (const [name, path] of [['mbox', mbox()], ['spool', spool()]] as const) await writeFile(join(home, name), await readFile(path))
    expect((await mailutil(home, 'check', 'mbox')).stdout).toContain('2 total')
    expect((await mailutil(home, 'check', 'spool')).stdout).toContain('0 total')
    expect((await mailutil(home, 'prune', 'mbox', 'subject one')).stderr).toBe('')
    await writeFile(mbox(), await readFile(join(home, 'mbox')))
    await writeFile(spool(), (await text(join(home, 'spool'))) + stored('three'))
    const later = await alice()
    expect(await subjects(later)).toEqual(['two', 'three'])
    expect((await later.do('FETCH 1 UID')).untagged).toEqual([untagged[1]?.replace('* 2', '* 1')])
    await later.logout()
    await rm(home, { recursive: true, force: true })
  })

  test('processes that move mail at the same time move each message once', { timeout: 240_000 }, async () => {
    await writeFile(mbox(), '', { mode: 0o600 })
    const names: string[] = []
    for (let round = 0; round < 2; round++) {
      const more = Array.from({ length: 3000 }, (_, n) => `letter-${round}-${n}`)
      names.push(...more)
      await appendFile(spool(), more.map((name) => stored(name)).join(''))
      const others = [1, 2, 3].map(() => run(process.execPath, [CLI, 'mailbox', 'prune', 'alice', 'INBOX', 'SUBJECT nothing', '--config', server.config], { limitMs: 120_000 }))
      await Promise.all(others)
      expect((await Promise.all(others)).map(({ code }) => code)).toEqual([0, 0, 0])
    }
    // Who came while another was at it left the mail to that one.
    const last = await alice()
    expect([...(await subjects(last))].toSorted()).toEqual(names.toSorted())
    await last.logout()
  })

  test('a server that is killed while it moves mail loses none of it, and doubles none', async () => {
    const names = Array.from({ length: 450 }, (_, n) => `letter-${n}`)
    const words = 'word '.repeat(400)
    await writeFile(spool(), names.map((name) => stored(name).replace('Hello.', `Hello. ${words}`)).join(''))
    await writeFile(mbox(), '', { mode: 0o600 })
    for (const octets of [100_000, 300_000, 700_000]) {
      const mover = await alice()
      const selecting = mover.do('SELECT INBOX').catch((error: unknown) => {
        if (!(error instanceof LinkLost)) throw error
      })
      while ((await stat(mbox())).size < octets) await new Promise(setImmediate)
      await server.kill()
      await selecting
      await server.again()
    }
    const client = await alice()
    expect([...(await subjects(client))].toSorted()).toEqual(names.toSorted())
    expect(await text(spool())).not.toContain('Hello.')
    await client.logout()
    await rm(spool())
  }, 120_000)
})
