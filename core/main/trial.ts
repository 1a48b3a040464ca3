import { randomInt } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MAIL_DOOR, secret, SYSTEM, userDirectories } from '../api/index.js'
import type { AppendItem, MailboxName, MailUser } from '../api/index.js'
import type { HostView } from '../kernel/kernel.js'
import { SelfSignedCertificate } from '../net/tls/self-signed.js'
import type { ServerAddress } from './bindings.js'
import { editorOf, knownAccounts } from './commands/user.js'
import { sampleMail } from './sample-mail.js'
import type { SampleMessage } from './sample-mail.js'
import type { MailServer } from './server.js'
import { shortPath } from './problem-text.js'

const USER = 'alice'
const TIMEOUT_MS = 60_000
/** Without characters that look alike. */
const PASSWORD_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
const FLAG_BITS: Readonly<Record<string, number>> = { '\\Seen': SYSTEM.seen, '\\Answered': SYSTEM.answered, '\\Flagged': SYSTEM.flagged }

/** The first account, when there was none: its password is known only now. */
export interface Trial {
  readonly user: string
  /** Undefined when the account was there already. */
  readonly password: string | undefined
  readonly certificate: string | undefined
}

/** Makes an account and a small mailbox where there is no account yet. */
export async function prepareTrial(server: MailServer): Promise<Trial> {
  const certificate = await publicCertificate(server)
  const accounts = editorOf(server, undefined)
  const known = await knownAccounts(accounts, AbortSignal.timeout(TIMEOUT_MS))
  const first = known[0]
  if (first !== undefined) return { user: first.user, password: undefined, certificate }
  const password = newPassword()
  await fillMailbox(server, USER)
  // Last: an account that is there means that everything before was done.
  await accounts.add(USER, secret(Buffer.from(password)), AbortSignal.timeout(TIMEOUT_MS))
  return { user: USER, password, certificate }
}

/** Three lines to copy, for the addresses the server really has. */
export function trialText(server: MailServer, trial: Trial, config: string | undefined): string {
  const at = (protocol: string, tls: string): ServerAddress | undefined => server.addresses.find((a) => a.protocol === protocol && a.tls === tls)
  const clear = at('imap4', 'starttls')
  const secure = at('imap4', 'implicit')
  const pop = at('pop3', 'implicit')
  if (secure === undefined || clear === undefined) return ''
  const { user, certificate } = trial
  const password = trial.password ?? 'PASSWORD'
  const command = `node dist/core/main/cli.js user passwd ${user}${config === undefined ? '' : ` --config ${shortPath(config)}`}`
  const trust = certificate === undefined ? '--insecure' : `--cacert ${shortPath(certificate)}`
  const muttTrust = certificate === undefined ? '' : `set certificate_file=${shortPath(certificate)}; `
  return [
    '',
    `IMAP with STARTTLS: localhost port ${clear.port}   IMAP over TLS: localhost port ${secure.port}`,
    trial.password === undefined
      ? `The account ${user} is there; its password was shown when it was made. A new one: ${command}`
      : `User ${user}, password ${password}   (shown only now; a new one: ${command})`,
    '',
    'Try it:',
    `  curl ${trust} --user ${user}:${password} 'imaps://localhost:${secure.port}/INBOX;MAILINDEX=1'`,
    `  mutt -e '${muttTrust}set folder=imaps://${user}@localhost:${secure.port}/; set imap_pass=${password}' -f =INBOX`,
    ...(pop === undefined ? [] : [`  curl ${trust} --user ${user}:${password} 'pop3s://localhost:${pop.port}/1'`]),
    `  openssl s_client -quiet -crlf -starttls imap -connect localhost:${clear.port}     then type: a login ${user} ${password}`,
    '',
  ].join('\n')
}

async function fillMailbox(server: MailServer, user: string): Promise<void> {
  const host = server.kernel.hosts.values().next().value
  if (host === undefined) return
  const account = await directoryEntry(host, user)
  if (account === undefined) return
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  await using mail = await host.get(MAIL_DOOR).open(account, signal)
  // The name that every account has, in the form of the wire.
  const inbox = await mail.locate('INBOX' as MailboxName, 'append', signal)
  await mail.append(inbox, items(sampleMail(user, Date.now())), signal)
}

async function directoryEntry(host: HostView, user: string): Promise<MailUser | undefined> {
  for (const { made } of host.entries(userDirectories)) {
    const found = await made.find(user, AbortSignal.timeout(TIMEOUT_MS))
    if (found !== undefined) return found
  }
  return undefined
}

async function* items(messages: readonly SampleMessage[]): AsyncIterable<AppendItem> {
  for (const { bytes, dateMs, flags } of messages) {
    yield {
      size: bytes.length,
      bytes: once(bytes),
      binary: false,
      system: flags.reduce((bits, flag) => bits | (FLAG_BITS[flag] ?? 0), 0),
      keywords: [],
      date: { ms: dateMs, zone: 0 },
      facts: new Map(),
    }
  }
}
async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** The self-signed certificate without its key, for clients that want to be told whom to trust. */
async function publicCertificate(server: MailServer): Promise<string | undefined> {
  const folder = server.kernel.plan.hosts[0]?.tls.selfSigned
  if (folder === undefined) return undefined
  const { chain } = await new SelfSignedCertificate(folder, []).find()
  const path = join(folder, 'certificate.pem')
  await writeFile(path, chain, { mode: 0o644 })
  await chmod(path, 0o644)
  return path
}

function newPassword(): string {
  const group = (): string => Array.from({ length: 4 }, () => PASSWORD_ALPHABET[randomInt(PASSWORD_ALPHABET.length)] ?? 'x').join('')
  return [group(), group(), group(), group()].join('-')
}
