import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemFiles } from '../../core/os/files.js'
import { nativeLocks } from '../../core/os/native-locks.js'
import { nameLockPath } from '../../plugins/formats/shared/locks/name-lock.js'
import { has, run } from '../support/programs.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const NAMESPACES = "[ { use: mailboxfile, inboxPath: '{home}/delivered' }, { use: prefixes } ]"
const stored = (subject: string, status = ''): string => `From bob@example.org Mon Nov 23 01:44:50 2026\nSubject: ${subject}\n${status}\nHello.\n\n`

describe('mailboxes named by prefixes, and INBOX in a format of its own', () => {
  let server: RunningServer
  beforeEach(async () => {
    server = await startServer({ host: 'drivers: { use: [mix, mx, mh, mbx, tenex, mtx, unix, dummy] }', namespaces: NAMESPACES })
    await writeFile(join(server.home('alice'), '.mh_profile'), 'Path: Mail\n')
    await mkdir(join(server.home('alice'), 'Mail'))
  })
  afterEach(() => server.remove())
  const alice = (): Promise<RawClient> => RawClient.login(server.ports.imap, 'alice')
  const spool = (): string => join(server.home('alice'), 'delivered')
  async function subjects(client: RawClient, mailbox: string): Promise<readonly string[]> {
    expect((await client.do(`SELECT ${mailbox}`)).status).toBe('OK')
    const { untagged } = await client.do('FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    return untagged.flatMap((line) => /Subject: (\S+)/.exec(line)?.[1] ?? [])
  }

  test('CREATE #driver.mix/INBOX: new mail is moved there, with flags, and what is delivered later too', async () => {
    await writeFile(spool(), stored('one', 'Status: RO\n') + stored('two'))
    const client = await alice()
    expect((await client.do('CREATE #driver.mix/INBOX')).status).toBe('OK')
    expect((await client.do('CREATE #driver.mix/INBOX')).text).toContain('exists')
    expect(await subjects(client, 'INBOX')).toEqual(['one', 'two'])
    expect((await client.do('FETCH 1:2 FLAGS')).untagged).toEqual(['* 1 FETCH (FLAGS (\\Recent \\Seen))', '* 2 FETCH (FLAGS (\\Recent))'])
    expect((await readFile(spool())).toString()).not.toContain('Hello.')
    expect(await readdir(join(server.home('alice'), 'INBOX'))).toContain('.mixmeta')
    await client.logout()
    await appendFile(spool(), stored('three'))
    const later = await alice()
    expect(await subjects(later, 'INBOX')).toEqual(['one', 'two', 'three'])
    expect((await later.do('STATUS INBOX (MESSAGES)')).untagged).toEqual(expect.arrayContaining(['* STATUS INBOX (MESSAGES 3)']))
    await later.logout()
    await server.kill()
    await server.again()
    const again = await alice()
    expect(await subjects(again, 'INBOX')).toEqual(['one', 'two', 'three'])
    await again.logout()
  })

  test.each([
    { format: 'mbx', file: 'INBOX', begins: /^\*mbx\*\r\n/ },
    { format: 'tenex', file: 'mail.txt', begins: /^[ \d]\d-\w{3}-\d{4} / },
    { format: 'mtx', file: 'INBOX.MTX', begins: /^[ \d]\d-\w{3}-\d{4} / },
  ])('CREATE #driver.FORMAT/INBOX takes the INBOX over, empty too, and mail is moved there: $format', async ({ format, file, begins }) => {
    const client = await alice()
    expect((await client.do(`CREATE #driver.${format}/INBOX`)).status).toBe('OK')
    expect((await client.do(`CREATE #driver.${format}/INBOX`)).text).toContain('exists')
    // Nobody has a message yet: an empty file is an INBOX of this format all the same.
    expect(await subjects(client, 'INBOX')).toEqual([])
    expect((await client.append('INBOX', 'Subject: own\r\n\r\nhello\r\n', '(\\Flagged)')).status).toBe('OK')
    await client.logout()
    await writeFile(spool(), stored('one', 'Status: RO\n') + stored('two'))
    const later = await alice()
    expect(await subjects(later, 'INBOX')).toEqual(['own', 'one', 'two'])
    expect((await later.do('FETCH 1:3 FLAGS')).untagged.map((line) => line.replaceAll(/\\Recent ?/g, '').replace(' )', ')'))).toEqual([
      '* 1 FETCH (FLAGS (\\Flagged))', '* 2 FETCH (FLAGS (\\Seen))', '* 3 FETCH (FLAGS ())',
    ])
    expect((await readFile(join(server.home('alice'), file))).toString()).toMatch(begins)
    expect((await readFile(spool())).toString()).not.toContain('Hello.')
    await later.logout()
  })

  test.each(['unix', 'dummy'])('CREATE #driver.%s/INBOX is refused: no INBOX of the format takes over, and its file would be out of reach', async (format) => {
    await writeFile(spool(), stored('one'))
    const client = await alice()
    expect(await client.do(`CREATE #driver.${format}/INBOX`)).toMatchObject({ status: 'NO', text: `[CANNOT] CREATE failed: Can't create mailbox #driver.${format}/INBOX: this mailbox cannot do that` })
    expect(await subjects(client, 'INBOX')).toEqual(['one'])
    await client.logout()
    expect(await readdir(server.home('alice'))).not.toContain('INBOX')
  })

  test.each(['mbx', 'mix'])('CREATE #driver.%s/INBOX where mail is delivered to ~/INBOX itself is refused: a program that has the empty file open must not lose what it writes', async (format) => {
    const own = await startServer({ host: 'drivers: { use: [mix, mbx, tenex, unix, dummy] }' })
    try {
      for (const content of ['', stored('one')]) {
        await writeFile(own.inbox('alice'), content)
        const { ino } = await stat(own.inbox('alice'))
        const client = await RawClient.login(own.ports.imap, 'alice')
        expect(await client.do(`CREATE #driver.${format}/INBOX`)).toMatchObject({ status: 'NO', text: expect.stringMatching(/^\[CANNOT\] /) })
        expect([(await stat(own.inbox('alice'))).ino, await readFile(own.inbox('alice'), 'latin1')]).toEqual([ino, content])
        // Others have a file of their own.
        expect((await client.do('SELECT INBOX')).status).toBe('OK')
        await client.logout()
      }
      const client = await RawClient.login(own.ports.imap, 'alice')
      expect((await client.do('CREATE #driver.tenex/INBOX')).status).toBe('OK')
      expect(await subjects(client, 'INBOX')).toEqual(['one'])
      await client.logout()
    } finally {
      await own.remove()
    }
  })

  test.skipIf(!has('procmail'))('mail that procmail delivers while sessions have an mbx INBOX open comes there once, and all of them see it', async () => {
    const first = await alice()
    await first.do('CREATE #driver.mbx/INBOX')
    expect(await subjects(first, 'INBOX')).toEqual([])
    const rules = join(server.folder, 'procmailrc')
    await writeFile(rules, `:0:\n${spool()}\n`, { mode: 0o600 })
    const names = Array.from({ length: 12 }, (_, n) => `letter-${n}`)
    const delivering = (async () => {
      for (const name of names) {
        const { code, stderr } = await run('procmail', ['-m', rules], { input: stored(name).trimEnd() + '\n', limitMs: 600_000 })
        expect([name, code, stderr]).toEqual([name, 0, ''])
      }
    })()
    // Each new login looks at once; they come in pairs, so that two look at the same time.
    const visitor = async (): Promise<void> => {
      const client = await alice()
      expect((await client.do('SELECT INBOX')).status).toBe('OK')
      await client.logout()
    }
    const state = { ended: false }
    const over = delivering.finally(() => void (state.ended = true))
    while (!state.ended) await Promise.all([visitor(), visitor()])
    await over
    // Another program may have had the mail when somebody looked.
    await Promise.all([visitor(), visitor()])
    expect((await first.do('NOOP')).status).toBe('OK')
    const { untagged } = await first.do('FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    expect(untagged.flatMap((line) => /Subject: (\S+)/.exec(line)?.[1] ?? [])).toEqual(names)
    expect((await readFile(spool())).toString()).not.toContain('Hello.')
    await first.logout()
  })

  test('a server that is killed while it moves mail to an mbx INBOX loses none of it', async () => {
    const names = Array.from({ length: 450 }, (_, n) => `letter-${n}`)
    const text = 'word '.repeat(400)
    await writeFile(spool(), names.map((name) => stored(name).replace('Hello.', `Hello. ${text}`)).join(''))
    const client = await alice()
    await client.do('CREATE #driver.mbx/INBOX')
    await client.logout()
    const inbox = join(server.home('alice'), 'INBOX')
    const size = async (): Promise<number> => (await stat(inbox)).size
    // In the middle of the first copies, between copies and removal, and in those that follow.
    for (const octets of [100_000, 300_000, 700_000]) {
      const mover = await alice()
      const state = { answered: false }
      const selected = mover.do('SELECT INBOX').catch((error: unknown) => {
        if (!(error instanceof LinkLost)) throw error
      })
      void selected.then(() => (state.answered = true))
      while (!state.answered && (await size()) < octets) await new Promise((go) => setImmediate(go))
      await server.kill()
      await selected
      await server.again()
    }
    const last = await alice()
    expect(new Set(await subjects(last, 'INBOX'))).toEqual(new Set(names))
    await last.logout()
  })

  test('while another program has the mail that was delivered, it stays there, and comes when that has left', async () => {
    await writeFile(spool(), stored('one'))
    const files = new SystemFiles(await nativeLocks())
    const at = await stat(spool())
    const lock = await files.open(nameLockPath('/tmp', { device: at.dev, inode: at.ino }), { write: true, create: 'if-missing', mode: 0o666 })
    expect(lock.lock('flock', 'exclusive')).toBe('locked')
    await lock.write([Buffer.from('1')], 0)
    const client = await alice()
    await client.do('CREATE #driver.mix/INBOX')
    expect(await subjects(client, 'INBOX')).toEqual([])
    expect((await readFile(spool())).toString()).toContain('Hello.')
    await client.logout()
    await lock.close()
    await rm(nameLockPath('/tmp', { device: at.dev, inode: at.ino }), { force: true })
    const later = await alice()
    expect(await subjects(later, 'INBOX')).toEqual(['one'])
    await later.logout()
  })

  test('#mhinbox is made when it is first opened, and new mail is moved there', async () => {
    await writeFile(spool(), stored('one') + stored('two'))
    const client = await alice()
    expect(await subjects(client, '#MHinbox')).toEqual(['one', 'two'])
    expect((await readdir(join(server.home('alice'), 'Mail/inbox'))).sort()).toEqual(['.mh_sequences', '1', '2'])
    expect((await readFile(spool())).toString()).not.toContain('Hello.')
    expect(await subjects(client, 'Mail/inbox')).toEqual(['one', 'two'])
    expect((await client.do('SELECT #mhinboxes')).status).toBe('NO')
    await client.logout()
  })

  test('#mh/: names, LIST, NAMESPACE, and nothing beside the MH folder', async () => {
    const client = await alice()
    expect((await client.do('CREATE #mh/lists/work')).status).toBe('OK')
    expect((await client.append('#mh/lists/work', 'Subject: filed\r\n\r\nhello\r\n', '(\\Flagged)')).status).toBe('OK')
    expect((await readFile(join(server.home('alice'), 'Mail/lists/work/1'))).toString()).toBe('Subject: filed\n\nhello\n')
    expect((await client.do('LIST "" "#mh/*"')).untagged).toEqual([
      '* LIST (\\HasChildren) "/" #mh/lists',
      '* LIST (\\HasNoChildren) "/" #mh/lists/work',
    ])
    expect((await client.do('NAMESPACE')).untagged[0]).toContain('(("" "/")("#mhinbox" "/")("#mh/" "/"))')
    for (const name of ['#mh/../delivered', '#mh/x/../../y', '#mh//etc', '#mh/', '#mh/17', '#nothing/x']) expect([name, (await client.do(`CREATE ${name}`)).status]).toEqual([name, 'NO'])
    expect((await client.do('RENAME #mh/lists/work #mh/done')).status).toBe('OK')
    expect((await client.do('DELETE #mh/done')).status).toBe('OK')
    await client.logout()
    const bob = await RawClient.login(server.ports.imap, 'bob')
    expect((await bob.do('CREATE #mh/x')).status).toBe('NO')
    expect((await bob.do('NAMESPACE')).untagged[0]).not.toContain('#mh')
    await bob.logout()
  })

  test('#public/, #shared/ and #ftp/ are in the homes of their accounts, with their protections', async () => {
    for (const name of ['imappublic', 'imapshared', 'ftp']) await mkdir(server.home(name))
    const client = await alice()
    expect((await client.do('CREATE #Public/deep/news')).status).toBe('OK')
    expect((await client.do('CREATE #shared/team')).status).toBe('OK')
    expect((await client.do('CREATE #ftp/files/list')).status).toBe('OK')
    const mode = async (...path: string[]): Promise<string> => ((await stat(join(server.folder, 'mail', ...path))).mode & 0o777).toString(8)
    expect([await mode('imappublic', 'deep'), await mode('imappublic', 'deep/news'), await mode('imapshared', 'team'), await mode('ftp', 'files'), await mode('ftp', 'files/list')]).toEqual(['777', '666', '660', '755', '644'])
    await client.append('#public/deep/news', 'Subject: all\r\n\r\nhello\r\n')
    await client.logout()
    const bob = await RawClient.login(server.ports.imap, 'bob')
    expect(await subjects(bob, '#public/deep/news')).toEqual(['all'])
    await bob.logout()
  })

  test('#driver.mix/NAME forces the format once; the delimiter may be any of the three', async () => {
    const client = await alice()
    for (const [name, made] of [['#driver.mix/a', 'a/.mixmeta'], ['#driver.mx:b', 'b/.mxindex'], ['#DRIVER.mix/deep/c', 'deep/c/.mixmeta']] as const) {
      expect((await client.do(`CREATE ${name}`)).status).toBe('OK')
      await stat(join(server.home('alice'), made))
    }
    expect((await client.do('CREATE #driver.nothing/d')).status).toBe('NO')
    expect((await client.do('SELECT #driver.mix/a')).status).toBe('NO')
    expect((await client.do('LIST "" %')).untagged).toEqual(expect.arrayContaining(['* LIST (\\HasNoChildren) "/" a', '* LIST (\\NoSelect \\HasChildren) "/" deep']))
    await client.append('a', 'Subject: hello\r\n\r\nhello\r\n')
    expect((await client.do('CREATE a/below')).status).toBe('OK')
    expect((await client.do('LIST "" a*')).untagged).toEqual(['* LIST (\\HasChildren) "/" a', expect.stringContaining('"/" a/below')])
    await client.logout()
  })
})

describe('a site whose mailboxes are folders', () => {
  test('INBOX is one too, for everybody, from the first message on', async () => {
    const server = await startServer({ host: 'drivers: { use: [mix, unix, dummy], create: mix, empty: mix }' })
    try {
      const client = await RawClient.login(server.ports.imap, 'alice')
      expect((await client.append('INBOX', 'Subject: first\r\n\r\nhello\r\n')).status).toBe('OK')
      expect(await readdir(join(server.home('alice'), 'INBOX'))).toContain('.mixmeta')
      expect((await client.do('CREATE INBOX/below')).status).toBe('OK')
      expect((await client.do('LIST "" *')).untagged).toEqual(['* LIST (\\HasChildren) "/" INBOX', '* LIST (\\HasNoChildren) "/" INBOX/below'])
      await writeFile(join(server.home('alice'), 'empty'), '')
      expect((await client.append('empty', 'Subject: x\r\n\r\nhello\r\n')).status).toBe('NO')
      expect((await stat(join(server.home('alice'), 'empty'))).size).toBe(0)
      await client.logout()
    } finally {
      await server.remove()
    }
  })
})
