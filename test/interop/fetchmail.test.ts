import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { has, run } from '../support/programs.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX, statusOf } from '../support/sample-mailbox.js'

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
