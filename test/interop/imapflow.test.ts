import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ImapFlow } from 'imapflow'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox } from '../support/interop.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf, subjectsIn } from '../support/sample-mailbox.js'

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.remove())

describe('imapflow', () => {
  test.each([
    { link: 'plain', port: 'imap', secure: false, doSTARTTLS: false },
    { link: 'STARTTLS', port: 'imap', secure: false, doSTARTTLS: true },
    { link: 'implicit TLS', port: 'imaps', secure: true, doSTARTTLS: undefined },
  ] as const)('fetches, flags, moves, hears of news and expunges over $link', { timeout: 120_000 }, async ({ link, port, secure, doSTARTTLS }) => {
    await freshInbox(server)
    const client = new ImapFlow({
      host: 'localhost',
      port: server.ports[port],
      secure,
      ...(doSTARTTLS === undefined ? {} : { doSTARTTLS }),
      auth: { user: 'alice', pass: 'secret' },
      tls: { ca: await readFile(server.certificate) },
      logger: false,
    })
    await client.connect()
    try {
      const folder = `Moved over ${link}`
      await client.mailboxCreate(folder)
      const lock = await client.getMailboxLock('INBOX')
      try {
        const news = new Promise((resolve) => client.once('exists', resolve))
        const appended = await client.append('INBOX', `Subject: hello over ${link}\r\n\r\nText\r\n`, ['\\Flagged'])
        expect(appended).toMatchObject({ destination: 'INBOX', uid: expect.any(Number) })
        expect(await news).toMatchObject({ path: 'INBOX', count: 4, prevCount: 3 })
        const uid = appended !== false && appended.uid !== undefined ? appended.uid : 0
        const got = await client.fetchOne(String(uid), { envelope: true, flags: true, bodyStructure: true, source: true }, { uid: true })
        if (got === false) throw new Error('the message is missing')
        expect(got.envelope?.subject).toBe(`hello over ${link}`)
        expect(got.source?.toString()).toBe(`Subject: hello over ${link}\r\n\r\nText\r\n`)
        expect([...(got.flags ?? [])]).toContain('\\Flagged')
        await client.messageFlagsAdd(String(uid), ['\\Seen', '$Work'], { uid: true })
        const moved = await client.messageMove(String(uid), folder, { uid: true })
        expect(moved).toMatchObject({ destination: folder })
        expect(await client.messageDelete('1', { uid: true })).toBe(true)
      } finally {
        lock.release()
      }
      const status = await client.status(folder, { messages: true, uidNext: true })
      expect(status).toMatchObject({ messages: 1, uidNext: 2 })
    } finally {
      await client.logout()
    }
    await server.stop()
    const file = await readFile(join(server.home('alice'), `Moved over ${link}`), 'latin1')
    expect(subjectsIn(file)).toEqual([`hello over ${link}`])
    expect(statusOf(messagesIn(file)[0] ?? '')).toMatch(/F.*R/)
    await server.again()
    expect(subjectsIn(await readFile(server.inbox('alice'), 'latin1'))).toEqual(['Plans with a picture', 'Short'])
  })
})
