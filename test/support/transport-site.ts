import { chmod, chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const NOBODY = 65_534

/** A folder with a configuration that delivers to alice and bob; it belongs to `nobody` where root runs the tests. */
export async function transportSite(name: string): Promise<{ readonly folder: string; readonly config: string }> {
  const folder = await mkdtemp(join(tmpdir(), `mailwright-${name}-`))
  const config = join(folder, 'mailwright.config.yaml')
  await chmod(folder, 0o755)
  for (const home of ['mail/alice', 'mail/bob']) await mkdir(join(folder, home), { recursive: true })
  await writeFile(config, `version: 1
server: { name: mail.example.org, runDirectory: run }
listeners: { imap: { protocol: imap4, address: 127.0.0.1, port: 1, tls: none } }
hosts:
  default:
    auth: { passwords: [{ use: file, path: users }], users: [{ use: virtual, data: mail }], names: { stripDomains: [example.org] } }
    namespaces: [{ use: mailboxfile, inboxPath: '{home}/INBOX' }]
`)
  await writeFile(join(folder, 'users'), 'alice:{SCRYPT}x\nbob:{SCRYPT}x\n', { mode: 0o600 })
  if (process.getuid?.() === 0) for (const path of ['', 'mailwright.config.yaml', 'users', 'mail', 'mail/alice', 'mail/bob']) await chown(join(folder, path), NOBODY, NOBODY)
  return { folder, config }
}
