import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { canMount } from '../support/small-disk.js'

/** A machine with a NIS domain needs a namespace of the kernel. What is delivered has its `Received` line tested in `test/interop/lmtpd.test.ts`. */
describe.skipIf(!canMount())('messages that the server makes are from its own name, never from the NIS domain (FAQ 7.9)', () => {
  let server: RunningServer
  let client: RawClient
  beforeAll(async () => {
    server = await startServer({
      host: 'drivers: { use: [unix, mmdf, phile] }',
      files: { 'mail/alice/notes': 'Buy milk.\n' },
      within: () => ['unshare', '--uts', 'sh', '-c', 'hostname post && domainname nis.example.net && exec "$@"', 'sh'],
      prepare: async (folder) => {
        const config = join(folder, 'mailwright.config.yaml')
        await writeFile(config, (await readFile(config, 'utf8')).replace('name: localhost', 'name: mail.example.org'))
      },
    })
    client = await RawClient.login(server.ports.imap, 'alice')
  })
  afterAll(async () => {
    client?.drop()
    await server?.remove()
  })

  test('a file that is served as a message', async () => {
    await client.do('SELECT notes')
    const { untagged } = await client.do('FETCH 1 (ENVELOPE BODY.PEEK[HEADER])')
    expect(untagged.join()).toContain('((NIL NIL "alice" "mail.example.org"))')
    expect(untagged.join()).toContain('From: alice@mail.example.org\r\n')
    expect(untagged.join()).not.toContain('nis.example.net')
  })

  const formats = [
    { format: 'unix', fence: '' },
    { format: 'mmdf', fence: '\u0001\u0001\u0001\u0001\n' },
  ]
  test.each(formats)('the record at the begin of a mailbox, and the sender of what has none: $format', async ({ format, fence }) => {
    const text = (name: string): Promise<string> => readFile(join(server.home('alice'), name), 'latin1')
    const record = /^From: Mail System Internal Data <MAILER-DAEMON@mail\.example\.org>$/m
    expect(await client.do(`CREATE #driver.${format}/${format}-new`)).toMatchObject({ status: 'OK' })
    expect(await client.append(`${format}-new`, 'Subject: of nobody\r\n\r\nHello.\r\n')).toMatchObject({ status: 'OK' })
    expect(await text(`${format}-new`)).toMatch(record)
    expect(await text(`${format}-new`)).toMatch(/^From alice@mail\.example\.org /m)

    await writeFile(join(server.home('alice'), format), `${fence}From bob@example.com Mon Jan  5 09:08:07 2026\nSubject: old\n\nHello.\n\n${fence}`)
    await client.do(`SELECT ${format}`)
    await client.do('STORE 1 FLAGS (\\Deleted)')
    expect(await client.do('EXPUNGE')).toMatchObject({ status: 'OK', untagged: expect.arrayContaining(['* 1 EXPUNGE']) })
    expect(await text(format)).toMatch(record)
    expect(await text(format)).toMatch(/^Message-ID: <\d+@mail\.example\.org>$/m)
    expect((await text(format)) + (await text(`${format}-new`))).not.toContain('nis.example.net')
  })
})
