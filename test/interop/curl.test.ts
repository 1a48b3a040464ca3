import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox, LINKS, type LinkName } from '../support/interop.js'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX, statusOf, subjectsIn } from '../support/sample-mailbox.js'

describe.skipIf(!has('curl'))('curl', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({ files: { 'mail/alice/INBOX': SAMPLE_MAILBOX } })
  })
  afterAll(() => server.remove())
  const security = (link: LinkName): string[] => (link === 'plain' ? [] : ['--ssl-reqd', '--cacert', server.certificate])
  const url = (link: LinkName, port: 'imap' | 'imaps'): string => `${link === 'implicit TLS' ? 'imaps' : 'imap'}://localhost:${server.ports[port]}`

  test.each(LINKS)('reads a message over $link', async ({ link, port }) => {
    const got = await run('curl', ['-sS', ...security(link), '-u', 'alice:secret', `${url(link, port)}/INBOX;MAILINDEX=3`])
    expect(got.stderr).toBe('')
    expect(got.stdout).toBe(
      'From: erin@example.org\r\nTo: alice@example.org\r\nSubject: Short\r\nDate: Wed, 7 Jan 2026 11:12:13 +0000\r\nMessage-ID: <short.3@example.org>\r\n\r\nYes.\r\n',
    )
  })
  test.each(LINKS)('refuses a wrong password over $link', async ({ link, port }) => {
    const got = await run('curl', ['-sS', ...security(link), '-u', 'alice:wrong', `${url(link, port)}/`])
    expect(got.code).toBe(67)
  })
  test.each(LINKS)('files a message over $link, and it is in the mailbox file', { timeout: 120_000 }, async ({ link, port }) => {
    await freshInbox(server)
    const made = await run('curl', ['-sS', ...security(link), '-u', 'alice:secret', '-X', 'CREATE Filed', `${url(link, port)}/`])
    expect(made.code).toBe(0)
    const message = 'Subject: Filed by curl\r\nFrom: alice@example.org\r\n\r\nFrom the start.\r\nEnd.\r\n'
    const upload = join(server.folder, 'upload.eml')
    await writeFile(upload, message)
    const sent = await run('curl', ['-sS', ...security(link), '-u', 'alice:secret', '-T', upload, `${url(link, port)}/Filed`])
    expect(sent).toMatchObject({ code: 0, stderr: '' })
    const file = await readFile(join(server.home('alice'), 'Filed'), 'latin1')
    expect(subjectsIn(file)).toEqual(['Filed by curl'])
    expect(file).toContain('\n>From the start.\nEnd.\n')
  })
  test.each(LINKS)('flags and expunges over $link, and the file says so', { timeout: 120_000 }, async ({ link, port }) => {
    await freshInbox(server)
    const command = async (text: string): Promise<void> => {
      const got = await run('curl', ['-sS', ...security(link), '-u', 'alice:secret', '-X', text, `${url(link, port)}/INBOX`])
      expect(got).toMatchObject({ code: 0, stderr: '' })
    }
    for (const text of ['STORE 1 +FLAGS (\\Deleted)', 'STORE 2 +FLAGS (\\Flagged)', 'EXPUNGE', 'CHECK']) await command(text)
    const file = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(file)).toEqual(['Plans with a picture', 'Short'])
    expect(statusOf(messagesIn(file)[0] ?? '')).toContain('F')
  })
})
