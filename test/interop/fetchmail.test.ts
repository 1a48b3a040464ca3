import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox } from '../support/interop.js'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf } from '../support/sample-mailbox.js'

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.remove())

describe.skipIf(!has('fetchmail'))('fetchmail', () => {
  test.each([
    { link: 'plain', port: 'imap', options: "sslproto ''" },
    { link: 'STARTTLS', port: 'imap', options: "sslproto TLS1.2+ sslcertck sslcertfile 'CERT'" },
    { link: 'implicit TLS', port: 'imaps', options: "ssl sslcertck sslcertfile 'CERT'" },
  ] as const)('takes every message and keeps the mailbox over $link, then empties it', { timeout: 120_000 }, async ({ port, options }) => {
    await freshInbox(server)
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
    expect(kept.map(statusOf)).toEqual(['OR', 'OR', 'OR'])
    await fetchAll('no keep')
    expect(messagesIn(await readFile(server.inbox('alice'), 'latin1'))).toEqual([])
  })
})
