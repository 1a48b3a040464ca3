import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { eventually } from '../support/attack.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

/** As some editor, or a program that failed, might leave it. */
const SPOILT = `garbage\n${SAMPLE_MAILBOX}`
const REASON = /Can't open INBOX \(file \S+\/alice\/INBOX\): not in valid mailbox format/

describe.each(['empty', 'refuse'] as const)('an INBOX whose first line is invalid (FAQ 7.1), with invalidInbox: %s', (invalidInbox) => {
  let server: RunningServer
  let client: RawClient
  beforeEach(async () => {
    server = await startServer({ host: `mailbox: { invalidInbox: ${invalidInbox} }`, files: { 'mail/alice/INBOX': SPOILT } })
    client = await RawClient.login(server.ports.imap, 'alice')
  })
  afterEach(() => server.remove())
  const inbox = (): Promise<string> => readFile(server.inbox('alice'), 'utf8')

  test('SELECT and EXAMINE say why, and no command changes the file', async () => {
    for (const command of ['EXAMINE INBOX', 'SELECT INBOX']) {
      const { status, text, untagged } = await client.do(command)
      if (invalidInbox === 'refuse') {
        expect({ status, text }).toEqual({ status: 'NO', text: expect.stringContaining('[CORRUPTION]') as string })
        continue
      }
      expect(text).toContain('[READ-ONLY]')
      expect(untagged).toContain('* 0 EXISTS')
      expect(untagged.filter((line) => line.startsWith('* NO '))).toEqual([expect.stringMatching(REASON)])
      expect((await client.do(String.raw`STORE 1:* +FLAGS (\Deleted)`)).status).not.toBe('OK')
      if (command === 'SELECT INBOX') expect((await client.do('EXPUNGE')).status).toBe('NO')
    }
    const appended = await client.append('INBOX', 'Subject: one\r\n\r\ntext\r\n')
    expect(appended).toMatchObject({ status: 'NO', text: expect.stringContaining('[CORRUPTION]') as string })
    expect(await inbox()).toBe(SPOILT)
    await client.do('CREATE elsewhere')
    expect((await client.append('elsewhere', 'Subject: one\r\n\r\ntext\r\n')).status).toBe('OK')
    await client.logout()
  })
  test('mail that arrives does not repair it; when it has been repaired everything is there', async () => {
    await client.do('SELECT INBOX')
    await writeFile(server.inbox('alice'), `${SPOILT}From bob@example.org Mon Nov 23 01:44:50 2026\nSubject: late\n\nHello.\n\n`)
    expect((await client.do('STATUS INBOX (MESSAGES)')).status).toBe(invalidInbox === 'empty' ? 'OK' : 'NO')
    await writeFile(server.inbox('alice'), SAMPLE_MAILBOX)
    // A session that was told of an empty INBOX is ended: nothing that it knows holds.
    if (invalidInbox === 'empty') await eventually('the session ends', () => client.do('NOOP').then(() => false, (error: unknown) => error instanceof LinkLost))
    const next = await RawClient.login(server.ports.imap, 'alice')
    expect((await next.do('SELECT INBOX')).untagged).toContain('* 3 EXISTS')
    await next.logout()
  })
  test('over POP3 there is no maildrop: one without messages would make clients forget what they have seen', async () => {
    await client.logout()
    const socket = connect(server.ports.pop3, '127.0.0.1').setEncoding('utf8')
    let said = ''
    socket.on('data', (text: string) => (said += text))
    socket.write('USER alice\r\nPASS secret\r\nQUIT\r\n')
    await once(socket, 'close')
    expect(said).toMatch(/^\+OK [^\n]*\n\+OK [^\n]*\n-ERR /)
    expect(await inbox()).toBe(SPOILT)
  })
  test('the reason is in the log', async () => {
    await client.do('SELECT INBOX')
    await client.logout()
    await vi.waitFor(() => expect(server.log()).toMatch(/INBOX.*not in valid mailbox format/))
  })
})
