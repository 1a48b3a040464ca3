import { mkdir, rm, writeFile } from 'node:fs/promises'
import type { RunningServer } from './running-server.js'
import { SAMPLE_MAILBOX } from './sample-mailbox.js'

/** The three ways to the server; every client does its job over each. */
export const LINKS = [
  { link: 'plain', port: 'imap' },
  { link: 'STARTTLS', port: 'imap' },
  { link: 'implicit TLS', port: 'imaps' },
] as const
/** One of them. */
export type LinkName = (typeof LINKS)[number]['link']

/** Gives a user nothing but an INBOX with the three sample messages, as an MTA left it, and a server that knows nothing else. */
export async function freshInbox(server: RunningServer, user = 'alice', mailbox: string | Uint8Array = SAMPLE_MAILBOX): Promise<void> {
  await server.stop()
  await rm(server.home(user), { recursive: true, force: true })
  await mkdir(server.home(user), { recursive: true })
  await writeFile(server.inbox(user), mailbox, { mode: 0o600 })
  await server.again()
}
