import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox } from '../support/interop.js'
import { has, run } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf, subjectsIn } from '../support/sample-mailbox.js'

const links = [
  { link: 'plain', port: 'imap', tls: 'SSLType None' },
  { link: 'STARTTLS', port: 'imap', tls: 'SSLType STARTTLS' },
  { link: 'implicit TLS', port: 'imaps', tls: 'SSLType IMAPS' },
] as const

describe.skipIf(!has('mbsync'))('mbsync', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.remove())

  test.each(links)('keeps flags, deletions and new mailboxes the same on both sides over $link', { timeout: 120_000 }, async ({ port, tls }) => {
    await freshInbox(server)
    const local = join(server.folder, `local-${port}-${tls.split(' ')[1]}`)
    await mkdir(local)
    const rc = join(local, 'mbsyncrc')
    await writeFile(
      rc,
      `IMAPAccount here
Host localhost
Port ${server.ports[port]}
User alice
Pass secret
${tls}
CertificateFile ${server.certificate}
AuthMechs LOGIN

IMAPStore far
Account here

MaildirStore near
Path ${local}/
Inbox ${local}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Remove Both
SyncState ${local}/state-
`,
    )
    const sync = async (): Promise<void> => {
      const got = await run('mbsync', ['-c', rc, '-a'])
      expect({ code: got.code, stderr: got.stderr.replaceAll(/^(?:Notice|Warning: Maildir|\*\*\* IMAP Warning \*\*\* Password is being sent in the clear).*\n/gm, '') }).toEqual({ code: 0, stderr: '' })
    }
    const names = async (box: string): Promise<string[]> => [...(await readdir(join(local, box, 'cur'))), ...(await readdir(join(local, box, 'new')))]
    const find = async (box: string, subject: string): Promise<string> => {
      for (const folder of ['cur', 'new'])
        for (const name of await readdir(join(local, box, folder)))
          if ((await readFile(join(local, box, folder, name), 'latin1')).includes(`Subject: ${subject}`)) return join(local, box, folder, name)
      throw new Error(`${subject} is not in ${box}`)
    }
    await sync()
    expect(await names('INBOX')).toHaveLength(3)

    // near: read and flag one, delete another, make a mailbox with a message
    const plans = await find('INBOX', 'Plans')
    await rename(plans, join(local, 'INBOX', 'cur', `${plans.split('/').at(-1)?.split(':')[0]}:2,FS`))
    const short = await find('INBOX', 'Short')
    await rename(short, join(local, 'INBOX', 'cur', `${short.split('/').at(-1)?.split(':')[0]}:2,ST`))
    for (const folder of ['cur', 'new', 'tmp']) await mkdir(join(local, 'Made here', folder), { recursive: true })
    await writeFile(join(local, 'Made here', 'cur', '1.local:2,'), 'Subject: from near\n\nHello\n')
    await sync()
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(inbox)).toEqual(['Minutes of Monday', 'Plans with a picture'])
    expect(statusOf(messagesIn(inbox)[1] ?? '')).toMatch(/F.*R/)
    expect(subjectsIn(await readFile(join(server.home('alice'), 'Made here'), 'latin1'))).toEqual(['from near'])

    // far: a delivery and a new mailbox
    await writeFile(server.inbox('alice'), inbox + 'From x@example.org Thu Jan  8 08:00:00 2026\nSubject: delivered\n\nNews\n\n')
    await sync()
    expect(await find('INBOX', 'delivered')).toContain('INBOX')
    // far: flags that another client sets and a message that it expunges come back
    const client = await RawClient.login(server.ports.imap, 'alice')
    for (const command of ['CREATE "Made far"', 'SELECT INBOX', 'STORE 1 +FLAGS.SILENT (\\Answered)', 'STORE 3 +FLAGS.SILENT (\\Deleted)', 'EXPUNGE']) expect((await client.do(command)).status).toBe('OK')
    await client.logout()
    await sync()
    expect(await names('INBOX')).toHaveLength(2)
    expect(await find('INBOX', 'Minutes')).toMatch(/:2,R$/)
    expect(await names('Made far')).toEqual([])
  })
})
