import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MAIL_DOOR, type MailAccess } from '../../core/api/index.js'
import { configOf } from '../../core/config/config.js'
import { LogHub } from '../../core/log/log-hub.js'
import { findAccount } from '../../core/main/mail-account.js'
import { MailServer } from '../../core/main/server.js'

/** A server that listens nowhere, as command-line tools have it, and alice's mail in all formats of files. */
export interface ToolsSite extends AsyncDisposable {
  readonly folder: string
  readonly server: MailServer
  readonly mail: MailAccess
}
export async function toolsSite(): Promise<ToolsSite> {
  const { signal } = new AbortController()
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-tools-'))
  await mkdir(join(folder, 'mail/alice/mh'), { recursive: true })
  await writeFile(join(folder, 'users'), 'alice:{SCRYPT}x\n', { mode: 0o600 })
  const config = {
    version: 1,
    server: { name: 'mail.example.org', runDirectory: 'run' },
    listeners: { imap: { protocol: 'imap4', address: '127.0.0.1', port: 1, tls: 'none' } },
    hosts: {
      default: {
        auth: { passwords: [{ use: 'file', path: 'users' }], users: [{ use: 'virtual', data: 'mail' }] },
        namespaces: [{ use: 'prefixes', accounts: false }, { use: 'mailboxfile', inboxPath: '{home}/INBOX' }],
        drivers: { use: ['mix', 'mx', 'mbx', 'tenex', 'mtx', 'mmdf', { use: 'mh', path: 'mh' }, 'unix', 'phile', 'dummy'] },
      },
    },
  }
  const server = await MailServer.start({ source: configOf(config, folder), log: new LogHub({ write: () => undefined }), inherited: new Map(), listen: false })
  const { host, user } = await findAccount(server, 'alice', undefined, signal)
  const mail = await host.get(MAIL_DOOR).open(user, signal)
  return {
    folder,
    server,
    mail,
    async [Symbol.asyncDispose]() {
      await mail[Symbol.asyncDispose]()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
