import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX, statusOf, subjectsIn } from '../support/sample-mailbox.js'

describe.skipIf(!has('curl'))('curl', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({ files: { 'mail/alice/INBOX': SAMPLE_MAILBOX } })
  })
  afterAll(() => server.remove())

  const links = [
    { link: 'plain', args: [], scheme: 'imap', port: 'imap' },
    { link: 'STARTTLS', args: ['--ssl-reqd', '--cacert', 'CERT'], scheme: 'imap', port: 'imap' },
    { link: 'implicit TLS', args: ['--cacert', 'CERT'], scheme: 'imaps', port: 'imaps' },
  ] as const
  test.each(links)('reads a message over $link', async ({ args, scheme, port }) => {
    const flags = args.map((a) => (a === 'CERT' ? server.certificate : a))
    const got = await run('curl', ['-sS', ...flags, '-u', 'alice:secret', `${scheme}://localhost:${server.ports[port]}/INBOX;MAILINDEX=3`])
    expect(got.stderr).toBe('')
    expect(got.stdout).toBe(
      'From: erin@example.org\r\nTo: alice@example.org\r\nSubject: Short\r\nDate: Wed, 7 Jan 2026 11:12:13 +0000\r\nMessage-ID: <short.3@example.org>\r\n\r\nYes.\r\n',
    )
  })
  test('refuses a wrong password', async () => {
    const got = await run('curl', ['-sS', '-u', 'alice:wrong', `imap://localhost:${server.ports.imap}/`])
    expect(got.code).toBe(67)
  })
  test('files a message, and it is in the mailbox file', async () => {
    const url = `imap://localhost:${server.ports.imap}`
    const made = await run('curl', ['-sS', '-u', 'alice:secret', '-X', 'CREATE Filed', `${url}/`])
    expect(made.code).toBe(0)
    const message = 'Subject: Filed by curl\r\nFrom: alice@example.org\r\n\r\nFrom the start.\r\nEnd.\r\n'
    const upload = join(server.folder, 'upload.eml')
    await writeFile(upload, message)
    const sent = await run('curl', ['-sS', '-u', 'alice:secret', '-T', upload, `${url}/Filed`])
    expect(sent).toMatchObject({ code: 0, stderr: '' })
    const file = await readFile(join(server.home('alice'), 'Filed'), 'latin1')
    expect(subjectsIn(file)).toEqual(['Filed by curl'])
    expect(file).toContain('\n>From the start.\nEnd.\n')
  })
  test('flags and expunges, and the file says so', async () => {
    const url = `imap://localhost:${server.ports.imap}/INBOX`
    await run('curl', ['-sS', '-u', 'alice:secret', '-X', 'STORE 1 +FLAGS (\\Deleted)', url])
    await run('curl', ['-sS', '-u', 'alice:secret', '-X', 'STORE 2 +FLAGS (\\Flagged)', url])
    const gone = await run('curl', ['-sS', '-u', 'alice:secret', '-X', 'EXPUNGE', url])
    expect(gone.code).toBe(0)
    await run('curl', ['-sS', '-u', 'alice:secret', '-X', 'CHECK', url])
    const file = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(file)).toEqual(['Plans with a picture', 'Short'])
    expect(statusOf(messagesIn(file)[0] ?? '')).toContain('F')
  })
})
