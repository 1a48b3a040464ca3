import { cp, readFile, utimes, writeFile } from 'node:fs/promises'
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
})
