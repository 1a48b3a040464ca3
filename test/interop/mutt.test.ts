import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox } from '../support/interop.js'
import { has, run, runOnTerminal } from '../support/programs.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf, subjectsIn } from '../support/sample-mailbox.js'

const links = [
  { link: 'plain', scheme: 'imap', port: 'imap', settings: 'set ssl_starttls=no\nunset ssl_force_tls' },
  { link: 'STARTTLS', scheme: 'imap', port: 'imap', settings: 'set ssl_starttls=yes\nset ssl_force_tls=yes' },
  { link: 'implicit TLS', scheme: 'imaps', port: 'imaps', settings: 'set ssl_force_tls=yes' },
] as const

let server: RunningServer
let own: string
beforeAll(async () => {
  server = await startServer()
  own = await mkdtemp(join(tmpdir(), 'mailwright-mutt-'))
})
afterAll(async () => {
  await server.remove()
  await rm(own, { recursive: true, force: true })
})

describe.each(['mutt', 'neomutt'])('%s', (program) => {
  test.skipIf(!has(program) || !has('script')).each(links)('reads, saves to a new mailbox, flags and deletes over $link', { timeout: 120_000 }, async ({ link, scheme, port, settings }) => {
    await freshInbox(server)
    const box = `Saved-${link.replaceAll(' ', '-')}`
    const url = `${scheme}://localhost:${server.ports[port]}`
    const rc = join(own, 'muttrc')
    await writeFile(
      rc,
      `set imap_user=alice
set imap_pass=secret
set imap_authenticators="login"
${settings}
set ssl_verify_host=yes
set certificate_file=${server.certificate}
set ssl_usesystemcerts=no
set folder=${url}/
set spoolfile=${url}/INBOX
set confirmappend=no
set confirmcreate=no
set delete=yes
set move=no
set header_cache=
set abort_unmodified=no
set wait_key=no
set quit=yes
set mail_check=0
set timeout=1
`,
    )
    // Copy the second message to a new mailbox, flag the third, delete the first, and leave.
    const keys = `<jump>2<enter><copy-message>=${box}<enter><jump>3<enter><flag-message><jump>1<enter><delete-message><sync-mailbox><quit>`
    const got = await runOnTerminal(program, ['-F', rc, '-n', '-e', `push '${keys}'`], { env: { HOME: own } })
    expect(got.code, got.stdout).toBe(0)
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(inbox)).toEqual(['Plans with a picture', 'Short'])
    expect(statusOf(messagesIn(inbox)[1] ?? '')).toContain('F')
    const saved = await readFile(join(server.home('alice'), box), 'latin1')
    expect(subjectsIn(saved)).toEqual(['Plans with a picture'])
  })

})

describe.skipIf(!has('mutt') || !has('script'))('mutt without IMAP', () => {
  test('reads the mailbox file itself, as the server left it', { timeout: 120_000 }, async () => {
    await freshInbox(server)
    const stored = await run('curl', ['-sS', '-u', 'alice:secret', '-X', 'STORE 2 +FLAGS (\\Answered)', `imap://localhost:${server.ports.imap}/INBOX`])
    expect(stored).toMatchObject({ code: 0, stderr: '' })
    await server.stop()
    // Without a folder that is there mutt begins with a question, and the first keys would be its answer.
    const rc = join(own, 'local-rc')
    await writeFile(rc, `set folder=${own}\nset quit=yes\nset move=no\nset confirmappend=no\nset confirmcreate=no\n`)
    const copy = join(own, 'answered')
    const keys = `<tag-pattern>~Q<enter><tag-prefix><copy-message>${copy}<enter><tag-prefix><clear-flag>r<jump>3<enter><flag-message><quit>`
    const got = await runOnTerminal('mutt', ['-F', rc, '-n', '-f', server.inbox('alice'), '-e', `push '${keys}'`], { env: { HOME: own } })
    expect(got.code, got.stdout).toBe(0)
    expect(subjectsIn(await readFile(copy, 'latin1'))).toEqual(['Plans with a picture'])
    // And the server reads what mutt left, under the same uids.
    await server.again()
    const flags = await run('curl', ['-sS', '-u', 'alice:secret', '-X', 'FETCH 1:* (UID FLAGS)', `imap://localhost:${server.ports.imap}/INBOX`])
    expect(flags.stdout.replaceAll('\\Recent ', '').split('\r\n')).toEqual(['* 1 FETCH (UID 1 FLAGS ())', '* 2 FETCH (UID 2 FLAGS ())', '* 3 FETCH (UID 3 FLAGS (\\Flagged))', ''])
  })
  test('reads and changes the mailbox file while a client of the server has it open', { timeout: 120_000 }, async () => {
    await freshInbox(server)
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('SELECT INBOX')).untagged).toContain('* 3 EXISTS')
    const rc = join(own, 'local-rc')
    await writeFile(rc, `set folder=${own}\nset quit=yes\nset move=no\nset delete=yes\n`)
    const keys = '<jump>3<enter><flag-message><jump>1<enter><delete-message><sync-mailbox><quit>'
    const got = await runOnTerminal('mutt', ['-F', rc, '-n', '-f', server.inbox('alice'), '-e', `push '${keys}'`], { env: { HOME: own } })
    expect(got.code, got.stdout).toBe(0)
    expect((await client.do('NOOP')).untagged).toEqual(expect.arrayContaining(['* 1 EXPUNGE', expect.stringMatching(/^\* 2 FETCH \(.*FLAGS \(.*\\Flagged/)]))
    expect((await client.do('FETCH 1:* (UID)')).untagged).toEqual(['* 1 FETCH (UID 2)', '* 2 FETCH (UID 3)'])
    await client.do('STORE 1 +FLAGS (\\Answered)')
    await client.logout()
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(inbox)).toEqual(['Plans with a picture', 'Short'])
    expect(messagesIn(inbox).map(statusOf)).toEqual([expect.stringContaining('A'), expect.stringContaining('F')])
  })
})
