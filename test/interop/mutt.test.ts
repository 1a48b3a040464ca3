import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, runOnTerminal } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX, statusOf, subjectsIn } from '../support/sample-mailbox.js'

const links = [
  { link: 'plain', scheme: 'imap', port: 'imap', settings: 'set ssl_starttls=no\nunset ssl_force_tls' },
  { link: 'STARTTLS', scheme: 'imap', port: 'imap', settings: 'set ssl_starttls=yes\nset ssl_force_tls=yes' },
  { link: 'implicit TLS', scheme: 'imaps', port: 'imaps', settings: 'set ssl_force_tls=yes' },
] as const

describe.skipIf(!has('mutt') || !has('script'))('mutt', () => {
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

  test.each(links)('reads, saves to a new mailbox, flags and deletes over $link', async ({ link, scheme, port, settings }) => {
    await server.stop()
    await writeFile(server.inbox('alice'), SAMPLE_MAILBOX)
    await server.again()
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
    const got = await runOnTerminal('mutt', ['-F', rc, '-n', '-e', `push '${keys}'`], { env: { HOME: own } })
    expect(got.code, got.stdout).toBe(0)
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(inbox)).toEqual(['Plans with a picture', 'Short'])
    expect(statusOf(messagesIn(inbox)[1] ?? '')).toContain('F')
    const saved = await readFile(join(server.home('alice'), box), 'latin1')
    expect(subjectsIn(saved)).toEqual(['Plans with a picture'])
  })
})
