import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, runOnTerminal } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX, statusOf, subjectsIn } from '../support/sample-mailbox.js'

describe.skipIf(!has('alpine') || !has('script'))('alpine', () => {
  let server: RunningServer
  let own: string
  beforeAll(async () => {
    server = await startServer()
    own = await mkdtemp(join(tmpdir(), 'mailwright-alpine-'))
  })
  afterAll(async () => {
    await server.remove()
    await rm(own, { recursive: true, force: true })
  })

  test.each([
    { link: 'plain', port: 'imap', options: '/notls' },
    { link: 'STARTTLS', port: 'imap', options: '/tls/novalidate-cert' },
    { link: 'implicit TLS', port: 'imaps', options: '/ssl/novalidate-cert' },
  ] as const)('reads, deletes and expunges over $link', async ({ port, options }) => {
    await server.stop()
    await writeFile(server.inbox('alice'), SAMPLE_MAILBOX)
    await server.again()
    const rc = join(own, 'pinerc')
    const mailbox = `{localhost:${server.ports[port]}${options}/user=alice}INBOX`
    await writeFile(rc, `inbox-path=${mailbox}\nfeature-list=expunge-without-confirm,quit-without-confirm,enable-incoming-folders\nlast-version-used=99.9\nuser-domain=example.org\n`)
    await writeFile(join(own, 'passfile'), '')
    // The password prompt comes first; then: open the second message, back, flag the third, delete the first, expunge, quit.
    const keys = ['s', 'e', 'c', 'r', 'e', 't', 'CR']
    const got = await runOnTerminal('alpine', ['-p', rc, '-i', '-I', [...keys, 'j', '2', 'CR', 'v', '<', 'j', '1', 'CR', 'd', 'x', 'q', 'y'].join(',')], {
      env: { HOME: own },
    })
    expect(got.code, got.stdout).toBe(0)
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(inbox)).toEqual(['Plans with a picture', 'Short'])
    expect(statusOf(messagesIn(inbox)[0] ?? '')).toContain('O')
  })
})
