import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox, LINKS, type LinkName } from '../support/interop.js'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf, subjectsIn } from '../support/sample-mailbox.js'

const SECURITY: Readonly<Record<LinkName, string>> = { plain: 'ssl = no\nstarttls = no', STARTTLS: 'ssl = no\nstarttls = yes', 'implicit TLS': 'ssl = yes' }

/**
 * After STARTTLS the library of this client (imaplib2 3.5) reads and writes one TLS connection from two threads. With TLS 1.3 the reader sits
 * in the middle of the session tickets that every server sends then, and the writer never gets its command out; Dovecot sees the same. With
 * TLS 1.2 nothing comes before the client asks.
 */
const TLS_1_2 = 'openssl_conf = start\n[start]\nssl_conf = ssl\n[ssl]\nsystem_default = limits\n[limits]\nMaxProtocol = TLSv1.2\n'

describe.skipIf(!has('offlineimap'))('offlineimap3', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.remove())

  test.each(LINKS)('mirrors mailboxes and brings back flags, deletions and new mailboxes over $link', { timeout: 120_000 }, async ({ link, port }) => {
    await freshInbox(server)
    const own = join(server.folder, `offlineimap-${link.replaceAll(' ', '-')}`)
    await mkdir(own)
    const rc = join(own, 'rc')
    await writeFile(join(own, 'openssl.cnf'), TLS_1_2)
    await writeFile(
      rc,
      `[general]
accounts = a
metadata = ${own}/metadata
ui = quiet
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = ${own}/mail
sep = /
[Repository far]
type = IMAP
remotehost = localhost
remoteport = ${server.ports[port]}
remoteuser = alice
remotepass = secret
auth_mechanisms = LOGIN
${SECURITY[link]}
sslcacertfile = ${server.certificate}
`,
    )
    const sync = async (): Promise<void> => {
      const env: Record<string, string> = link === 'STARTTLS' ? { OPENSSL_CONF: join(own, 'openssl.cnf') } : {}
      const got = await run('offlineimap', ['-c', rc, '-o', '-1'], { env })
      expect(got.code, got.stdout + got.stderr).toBe(0)
    }
    const inbox = join(own, 'mail', 'INBOX')
    const find = async (subject: string): Promise<string> => {
      for (const folder of ['cur', 'new'])
        for (const name of await readdir(join(inbox, folder)))
          if ((await readFile(join(inbox, folder, name), 'latin1')).includes(`Subject: ${subject}`)) return join(inbox, folder, name)
      throw new Error(`${subject} is not in the mirror`)
    }
    await sync()
    expect([...(await readdir(join(inbox, 'cur'))), ...(await readdir(join(inbox, 'new')))]).toHaveLength(3)

    // Near: one message goes, one is read and flagged, and there is a mailbox with a message that the server does not know.
    await rm(await find('Short'))
    const plans = await find('Plans')
    await rename(plans, join(inbox, 'cur', `${plans.split('/').at(-1)?.split(':')[0] ?? ''}:2,FS`))
    for (const folder of ['cur', 'new', 'tmp']) await mkdir(join(own, 'mail', 'Made-here', folder), { recursive: true })
    await writeFile(join(own, 'mail', 'Made-here', 'cur', '1.local:2,S'), 'From: a@example.org\nDate: Mon, 5 Jan 2026 09:08:00 +0000\nSubject: from near\nMessage-ID: <near@example.org>\n\nHello\n')
    await sync()
    const file = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(file)).toEqual(['Minutes of Monday', 'Plans with a picture'])
    expect(statusOf(messagesIn(file)[1] ?? '')).toMatch(/F.*R/)
    const made = await readFile(join(server.home('alice'), 'Made-here'), 'latin1')
    expect(subjectsIn(made)).toEqual(['from near'])
    expect(statusOf(messagesIn(made)[0] ?? '')).toContain('R')

    // Far: a delivery.
    await writeFile(server.inbox('alice'), `${file}From x@example.org Thu Jan  8 08:00:00 2026\nFrom: x@example.org\nDate: Thu, 8 Jan 2026 08:00:00 +0000\nSubject: delivered\n\nNews\n\n`)
    await sync()
    expect(await find('delivered')).toContain(inbox)
  })
})
