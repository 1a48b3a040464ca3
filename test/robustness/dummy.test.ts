import { appendFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const DELIVERED = 'From bob@example.org Mon Nov 23 01:44:50 2026\nSubject: first\n\nHello.\n\n'

let server: RunningServer
let client: RawClient
beforeEach(async () => {
  server = await startServer({ host: 'drivers: { use: [unix, dummy], create: dummy, empty: dummy }' })
  client = await RawClient.login(server.ports.imap, 'alice')
})
afterEach(() => server.remove())

test('an INBOX that is empty, or not there, is shown as such and waits for its first message', async () => {
  await rm(server.inbox('alice'), { force: true })
  const { text, untagged } = await client.do('SELECT INBOX')
  expect(text).toContain('[READ-ONLY]')
  expect(untagged).toEqual(expect.arrayContaining(['* 0 EXISTS', '* 0 RECENT', '* OK [PERMANENTFLAGS ()] Permanent flags', '* NO [UIDNOTSTICKY] Non-permanent unique identifiers: INBOX']))
  expect((await client.do(String.raw`STORE 1:* +FLAGS (\Seen)`)).status).not.toBe('OK')
  await appendFile(server.inbox('alice'), DELIVERED)
  // The mailbox is another one now: who sees the old one is sent away, and nobody else is hindered.
  const next = await RawClient.login(server.ports.imap, 'alice')
  const now = await next.do('SELECT INBOX')
  expect(now.untagged).toContain('* 1 EXISTS')
  expect(now.text).toContain('[READ-WRITE]')
  await next.logout()
  const end: unknown = await client.do('NOOP').catch((error: unknown) => error)
  expect(end).toBeInstanceOf(LinkLost)
  expect((end as LinkLost).heard.at(-1)).toMatch(/^\* BYE /)
})
test('what it makes is an empty file; a directory is no mailbox', async () => {
  expect((await client.do('CREATE box')).status).toBe('OK')
  expect((await client.do('CREATE folder/')).status).toBe('OK')
  expect((await stat(join(server.home('alice'), 'box'))).size).toBe(0)
  expect((await client.do('LIST "" *')).untagged).toEqual(['* LIST (\\NoInferiors) NIL INBOX', '* LIST (\\NoInferiors \\UnMarked) "/" box', '* LIST (\\NoSelect \\HasNoChildren) "/" folder'])
  expect((await client.do('SELECT box')).untagged).toContain('* 0 EXISTS')
  expect((await client.do('SELECT folder')).status).toBe('NO')
  // Which format is it to get? The client hears that it cannot be, the operator why.
  expect(await client.append('box', 'Subject: x\r\n\r\ntext\r\n')).toMatchObject({ status: 'NO', text: '[CANNOT] APPEND failed: this mailbox cannot do that' })
  await appendFile(server.inbox('alice'), DELIVERED)
  expect((await client.do('SELECT INBOX')).untagged).toContain('* 1 EXISTS')
  expect(await client.do('COPY 1 box')).toMatchObject({ status: 'NO', text: '[CANNOT] COPY failed: this mailbox cannot do that' })
  for (const command of ['APPEND', 'COPY']) await vi.waitFor(() => expect(server.log()).toMatch(new RegExp(`info {2}Command refused user=alice .* command=${command} mailbox=.* reason="Indeterminate mailbox format: .*/box"`)))
  expect((await stat(join(server.home('alice'), 'box'))).size).toBe(0)
  expect((await client.do('DELETE box')).status).toBe('OK')
})
