import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX, statusOf, subjectsIn } from '../support/sample-mailbox.js'

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.remove())

async function freshInbox(): Promise<void> {
  await server.stop()
  await rm(server.home('alice'), { recursive: true, force: true })
  await mkdir(server.home('alice'), { recursive: true })
  await writeFile(server.inbox('alice'), SAMPLE_MAILBOX)
  await server.again()
}

describe.skipIf(!has('offlineimap'))('offlineimap3', () => {
  test.each([
    { link: 'plain', port: 'imap', tls: 'ssl = no\nstarttls = no' },
    { link: 'STARTTLS', port: 'imap', tls: 'ssl = no\nstarttls = yes' },
    { link: 'implicit TLS', port: 'imaps', tls: 'ssl = yes' },
  ] as const)('mirrors mailboxes and brings back flags and deletions over $link', async ({ link, port, tls }) => {
    await freshInbox()
    const own = join(server.folder, `offlineimap-${link.replaceAll(' ', '-')}`)
    await mkdir(own)
    const rc = join(own, 'rc')
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
[Repository far]
type = IMAP
remotehost = localhost
remoteport = ${server.ports[port]}
remoteuser = alice
remotepass = secret
auth_mechanisms = LOGIN
${tls}
sslcacertfile = ${server.certificate}
`,
    )
    const sync = async (): Promise<void> => {
      const got = await run('offlineimap', ['-c', rc, '-o', '-1'])
      expect(got.code, got.stdout + got.stderr).toBe(0)
    }
    await sync()
    const inbox = join(own, 'mail', 'INBOX')
    const files = [...(await readdir(join(inbox, 'cur'))).map((n) => join(inbox, 'cur', n)), ...(await readdir(join(inbox, 'new'))).map((n) => join(inbox, 'new', n))]
    expect(files).toHaveLength(3)
    for (const file of files) if ((await readFile(file, 'latin1')).includes('Subject: Short')) await rm(file)
    await sync()
    expect(subjectsIn(await readFile(server.inbox('alice'), 'latin1'))).toEqual(['Minutes of Monday', 'Plans with a picture'])
  })
})

describe.skipIf(!has('fetchmail'))('fetchmail', () => {
  test.each([
    { link: 'plain', port: 'imap', options: "sslproto ''" },
    { link: 'STARTTLS', port: 'imap', options: "sslproto TLS1.2+ sslcertck sslcertfile 'CERT'" },
    { link: 'implicit TLS', port: 'imaps', options: "ssl sslcertck sslcertfile 'CERT'" },
  ] as const)('takes every message and keeps the mailbox over $link, then empties it', async ({ port, options }) => {
    await freshInbox()
    const rc = join(server.folder, 'fetchmailrc')
    const taken = join(server.folder, 'taken')
    await rm(taken, { force: true })
    const fetchAll = async (keep: 'keep' | 'no keep'): Promise<void> => {
      await writeFile(
        rc,
        `poll localhost protocol IMAP port ${server.ports[port]} auth password username 'alice' password 'secret' ${options.replace('CERT', server.certificate)} fetchall ${keep} no rewrite mda "cat >> ${taken}; echo >> ${taken}"\n`,
        { mode: 0o600 },
      )
      const got = await run('fetchmail', ['-f', rc, '--nosyslog', '--pidfile', join(server.folder, 'fetchmail.pid'), '--idfile', join(server.folder, 'fetchids')], {
        env: { HOME: server.folder, FETCHMAILHOME: server.folder },
      })
      expect(got.code, got.stdout + got.stderr).toBe(0)
    }
    await fetchAll('keep')
    const text = await readFile(taken, 'latin1')
    for (const subject of ['Minutes of Monday', 'Plans with a picture', 'Short']) expect(text).toContain(`Subject: ${subject}`)
    const kept = messagesIn(await readFile(server.inbox('alice'), 'latin1'))
    expect(kept).toHaveLength(3)
    await fetchAll('no keep')
    expect(messagesIn(await readFile(server.inbox('alice'), 'latin1'))).toEqual([])
    expect(statusOf(kept[0] ?? '')).toBeTypeOf('string')
  })
})
