import { item, named, never, note, once } from './mail.js'
import type { ImapFixture } from './imap.js'
import type { AppendItem } from '../../core/api/index.js'

/** Creates a mailbox of alice's and fills it; INBOX is there always. */
export async function fill(server: ImapFixture, name: string, items: readonly AppendItem[]): Promise<void> {
  await using mail = await server.access()
  if (name !== 'INBOX') await mail.create(named(name), { specialUse: [] }, never)
  if (items.length > 0) await mail.append(await mail.locate(named(name), 'append', never), once(...items), never)
}
/** Short messages of which only the subject matters. */
export function notes(...subjects: readonly string[]): readonly AppendItem[] {
  return subjects.map((subject) => note(subject))
}
/** A message with two parts, the second one a message itself. */
export const nested = [
  'From: Alice <alice@example.org>', 'To: bob@example.org', 'Subject: outer', 'Date: Fri, 2 Jan 2026 03:04:05 +0000', 'Message-ID: <1@example.org>', 'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: text/plain', '', 'first part', '--b', 'Content-Type: message/rfc822', '',
  'From: bob@example.org', 'Subject: inner', '', 'inner text', '--b--', '',
].join('\r\n')
/** The same as an item. */
export function nestedItem(): AppendItem {
  return item(nested)
}
