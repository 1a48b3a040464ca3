import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, readdir, symlink } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packedSite, type PackedSite } from '../support/packed-site.js'
import { hasPostfix, Postfix } from '../support/postfix.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { NOBODY } from '../support/transport-site.js'

/** As the owner of the mail, who is not root. */
const AS_OWNER = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
interface Way {
  readonly transport: string
  readonly service?: readonly string[]
  readonly settings?: Readonly<Record<string, string>>
}

describe.skipIf(!hasPostfix)('Postfix delivers into a Maildir whose owner waits in IDLE', () => {
  let site: PackedSite
  let server: RunningServer
  let lmtp: Server
  let cli = ''
  beforeAll(async () => {
    site = await packedSite('maildir')
    await chmod(site.folder, 0o755)
    cli = join(site.modules, 'mailwright/dist/core/main/cli.js')
    server = await startServer({
      cli,
      top: `plugins: ['@mailwright/maildir']`,
      auth: 'schemes: [ { use: plain, allow: true } ]\npasswords: [ { use: file, path: users.txt } ]\nnames: { stripDomains: [example.org] }',
      namespaces: '[ { use: mailboxfile, store: maildir } ]',
      host: 'drivers: { stores: [maildir] }',
      within: () => AS_OWNER,
      prepare: async (folder) => {
        await symlink(site.modules, join(folder, 'node_modules'))
        await chmod(folder, 0o755)
        for (const name of ['', 'users.txt', 'mailwright.config.yaml', 'mail', 'mail/alice', 'mail/bob']) await chown(join(folder, name), NOBODY, NOBODY)
      },
    })
    // As a systemd socket with Accept=yes does.
    lmtp = createServer({ pauseOnConnect: true }, (socket) => {
      const [program = '', ...words] = [...AS_OWNER, process.execPath, cli, 'lmtpd', '--config', server.config]
      spawn(program, words, { stdio: [socket, socket, 'inherit'] }).once('exit', () => socket.destroy())
    }).listen(0, '127.0.0.1')
    await once(lmtp, 'listening')
  }, 120_000)
  afterAll(async () => {
    lmtp?.close()
    await server?.remove()
    await site?.[Symbol.asyncDispose]()
  })

  const maildir = (): string => join(server.home('alice'), 'Maildir')
  const ways: Readonly<Record<string, () => Way>> = {
    'lmtp(8) to "mailwright lmtpd"': () => ({ transport: `lmtp:inet:127.0.0.1:${(lmtp.address() as AddressInfo).port}` }),
    'pipe(8) to "mailwright deliver"': () => ({
      transport: 'mailwright',
      service: [`mailwright unix - n n - - pipe user=nobody null_sender= argv=${process.execPath} ${cli} deliver --config ${server.config} -f \${sender} \${recipient}`],
    }),
    'virtual(8), by itself': () => ({
      transport: 'virtual',
      service: ['virtual unix - n n - - virtual'],
      settings: { virtual_mailbox_base: server.folder, virtual_mailbox_maps: 'inline:{ {alice@example.org = mail/alice/Maildir/} }', virtual_uid_maps: `static:${NOBODY}`, virtual_gid_maps: `static:${NOBODY}` },
    }),
    'local(8), by itself': () => ({
      transport: 'local',
      service: ['local unix - n n - - local'],
      settings: { alias_maps: `inline:{ {alice = ${maildir()}/} }`, default_privs: 'nobody' },
    }),
  }
  test.each(Object.entries(ways))('%s: the message is told at once, and is there whole and once', { timeout: 240_000 }, async (name, way) => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    const before = (await client.do('SELECT INBOX')).untagged.flatMap((line) => /^\* (\d+) EXISTS$/.exec(line)?.[1] ?? [])
    const { transport, service, settings } = way()
    await using postfix = await Postfix.start(transport, service, settings)
    client.send('idle IDLE\r\n')
    expect(await client.line()).toMatch(/^\+ /)
    const told = (async (): Promise<string> => {
      for (;;) {
        const line = await client.line()
        if (line.endsWith(' EXISTS')) return line
      }
    })()
    await postfix.send(`From: sender@example.net\nSubject: by ${name}\n\nFrom here on\n.\nlast\n`, 'sender@example.net', 'alice@example.org')
    await postfix.logs(/to=<alice@example\.org>.*status=sent/)
    const now = Number(before[0]) + 1
    expect(await told).toBe(`* ${now} EXISTS`)
    client.send('DONE\r\n')
    let line = await client.line()
    while (!line.startsWith('idle ')) line = await client.line()
    const { untagged } = await client.do(`FETCH ${now} BODY.PEEK[]`)
    expect(untagged.join('\n')).toMatch(/Return-Path: <sender@example\.net>\r\n[^]*Subject: by [^]*\r\n\r\nFrom here on\r\n\.\r\nlast\r\n\)/)
    expect(untagged.join('\n')).toContain(`Subject: by ${name}\r\n`)
    const files = await Promise.all(['tmp', 'new', 'cur'].map(async (part) => (await readdir(join(maildir(), part))).length))
    expect(files[0]).toBe(0)
    expect((files[1] ?? 0) + (files[2] ?? 0)).toBe(now)
    await client.logout()
  })
})
