import { cp, lstat, mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const SAMPLES = fileURLToPath(new URL('../fixtures/news', import.meta.url))

describe('newsgroups of a local spool, by IMAP', () => {
  let server: RunningServer
  beforeEach(async () => {
    server = await startServer({
      host: 'drivers: { stores: [ files, { use: news, spool: news/spool, active: news/active } ] }',
      namespaces: "[ { use: mailboxfile, inboxPath: '{home}/INBOX' }, { use: prefixes, news: news } ]",
      prepare: async (folder) => {
        await cp(SAMPLES, join(folder, 'news'), { recursive: true })
        for (const [article, time] of [['2', '2026-01-01T00:00:00Z'], ['3', '2026-01-02T00:00:00Z'], ['5', '2026-01-03T00:00:00Z']] as const) {
          await utimes(join(folder, 'news/spool/comp/mail/misc', article), new Date(time), new Date(time))
        }
      },
    })
    await writeFile(join(server.home('alice'), '.newsrc'), 'comp.mail.misc: 1-2\nrec.humor! 1-9\n')
  })
  afterEach(() => server.remove())
  const newsrc = (): Promise<string> => readFile(join(server.home('alice'), '.newsrc'), 'latin1')

  test('names have dots, articles keep their numbers, and what was read is \\Deleted and stands in .newsrc', async () => {
    const alice = await RawClient.login(server.ports.imap, 'alice')
    expect((await alice.do('NAMESPACE')).untagged[0]).toContain('("#news." ".")')
    expect((await alice.do('LIST "" "#news.%"')).untagged).toEqual(['* LIST (\\NoSelect \\HasChildren) "." #news.alt', '* LIST (\\NoSelect \\HasChildren) "." #news.comp'])
    expect((await alice.do('LIST "" "#news.comp.mail.*"')).untagged).toEqual(['* LIST (\\HasNoChildren) "." #news.comp.mail.misc'])
    expect((await alice.do('STATUS #news.comp.mail.misc (MESSAGES RECENT UIDVALIDITY UIDNEXT)')).untagged).toEqual(['* STATUS #news.comp.mail.misc (MESSAGES 3 RECENT 2 UIDNEXT 6 UIDVALIDITY 3203398350)'])
    const selected = await alice.do('SELECT #news.comp.mail.misc')
    expect(selected.status).toBe('OK')
    expect((await alice.do('FETCH 1:* (UID FLAGS INTERNALDATE)')).untagged).toEqual([
      '* 1 FETCH (UID 2 FLAGS (\\Deleted) INTERNALDATE " 1-Jan-2026 00:00:00 +0000")',
      '* 2 FETCH (UID 3 FLAGS (\\Recent) INTERNALDATE " 2-Jan-2026 00:00:00 +0000")',
      '* 3 FETCH (UID 5 FLAGS (\\Recent) INTERNALDATE " 3-Jan-2026 00:00:00 +0000")',
    ])
    expect((await alice.do('UID STORE 5 +FLAGS.SILENT (\\Deleted)')).status).toBe('OK')
    expect(await newsrc()).toBe('comp.mail.misc: 1-2,5\nrec.humor! 1-9\n')
    // An article cannot be removed, nor can anything be put there.
    expect((await alice.do('EXPUNGE')).untagged).toEqual([])
    expect((await alice.do('COPY 2 #news.comp.mail.misc')).status).toBe('NO')
    expect((await alice.append('#news.comp.mail.misc', 'Subject: x\r\n\r\nx\r\n')).status).toBe('NO')
    expect((await alice.do('COPY 2 INBOX')).status).toBe('OK')
    await alice.logout()
    // Another user has read nothing.
    const bob = await RawClient.login(server.ports.imap, 'bob')
    await bob.do('EXAMINE #news.comp.mail.misc')
    expect((await bob.do('SEARCH UNDELETED')).untagged).toEqual(['* SEARCH 1 2 3'])
    await bob.logout()
  })

  test('SUBSCRIBE, UNSUBSCRIBE and LSUB are the marks of .newsrc; what newsreaders wrote beside them stays', async () => {
    // The form of rn, trn and slrn: options with lines that go on, ranges that do not begin at 1, groups that are gone.
    const before = ['options -n comp.all !rec.humor', '\t-l *fun*', 'comp.mail.misc! 2-3,5', 'rec.humor: 1-9', 'alt.gone:', '']
    await writeFile(join(server.home('alice'), '.newsrc'), before.join('\r\n'))
    const alice = await RawClient.login(server.ports.imap, 'alice')
    const lsub = async (pattern: string): Promise<readonly string[]> => (await alice.do(`LSUB "" "${pattern}"`)).untagged.map((line) => line.slice(line.lastIndexOf(' ') + 1))
    const listed = async (): Promise<readonly string[]> => [...(await lsub('#news.*'))].sort()
    expect(await listed()).toEqual(['#news.alt.gone', '#news.rec.humor'])
    expect((await alice.do('SUBSCRIBE #news.comp.mail.misc')).status).toBe('OK')
    expect(await newsrc()).toBe(before.join('\r\n').replace('misc!', 'misc:'))
    expect((await alice.do('SUBSCRIBE #news.comp.mail.misc')).status).toBe('OK')
    expect((await alice.do('UNSUBSCRIBE #news.rec.humor')).status).toBe('OK')
    expect((await alice.do('UNSUBSCRIBE #news.alt.gone')).status).toBe('OK')
    expect(await newsrc()).toBe(before.join('\r\n').replace('misc!', 'misc:').replace('humor:', 'humor!').replace('gone:', 'gone!'))
    expect(await readFile(join(server.home('alice'), '.newsrc.old'), 'latin1')).toBe(before.join('\r\n').replace('misc!', 'misc:').replace('humor:', 'humor!'))
    expect(await listed()).toEqual(['#news.comp.mail.misc'])
    // What is not subscribed, and what is no group.
    for (const command of ['UNSUBSCRIBE #news.rec.humor', 'UNSUBSCRIBE #news.alt.never', 'SUBSCRIBE #news.comp', 'SUBSCRIBE #news.alt.gone']) expect([command, (await alice.do(command)).status]).toEqual([command, 'NO'])
    // Articles that are read leave the mark, other mailboxes have their own list.
    await alice.do('SELECT #news.comp.mail.misc')
    await alice.do('UID STORE 2,3,5 -FLAGS.SILENT (\\Deleted)')
    expect(await newsrc()).toContain('\r\ncomp.mail.misc: 1\r\n')
    await alice.do('SUBSCRIBE INBOX')
    expect([...(await lsub('*'))].sort()).toEqual(['#news.comp.mail.misc', 'INBOX'].sort())
    expect(await readFile(join(server.home('alice'), '.mailboxlist'), 'latin1')).toBe('INBOX\n')
    // From before the marks counted.
    await writeFile(join(server.home('alice'), '.mailboxlist'), 'INBOX\n#news.alt.old\n#news.comp.mail.misc\n')
    expect(await listed()).toEqual(['#news.alt.old', '#news.comp.mail.misc'])
    for (const name of ['alt.old', 'comp.mail.misc']) expect((await alice.do(`UNSUBSCRIBE #news.${name}`)).status).toBe('OK')
    expect(await listed()).toEqual([])
    await alice.logout()
  })

  test('a .newsrc that is a link stays one, and whoever has none gets one', async () => {
    const elsewhere = join(server.folder, 'dotfiles')
    await mkdir(elsewhere)
    await rm(join(server.home('alice'), '.newsrc'))
    await writeFile(join(elsewhere, 'newsrc'), 'alt.test! 1-4\n')
    await symlink(join(elsewhere, 'newsrc'), join(server.home('alice'), '.newsrc'))
    for (const user of ['alice', 'bob']) {
      const client = await RawClient.login(server.ports.imap, user)
      expect((await client.do('SUBSCRIBE #news.comp.mail.misc')).status).toBe('OK')
      await client.logout()
    }
    expect((await lstat(join(server.home('alice'), '.newsrc'))).isSymbolicLink()).toBe(true)
    expect(await readFile(join(elsewhere, 'newsrc'), 'latin1')).toBe('alt.test! 1-4\ncomp.mail.misc:\n')
    expect(await readFile(join(server.home('bob'), '.newsrc'), 'latin1')).toBe('comp.mail.misc:\n')
  })
})
