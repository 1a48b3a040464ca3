import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshInbox, LINKS, type LinkName } from '../support/interop.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, statusOf, subjectsIn } from '../support/sample-mailbox.js'

/** As much of node-imap as the test uses; the package brings no types. */
interface NodeImap {
  connect(): void
  end(): void
  on(event: string, hear: (...args: never[]) => void): void
  openBox(name: string, readOnly: boolean, done: Done<{ messages: { total: number } }>): void
  addBox(name: string, done: (error?: Error) => void): void
  search(criteria: readonly unknown[], done: Done<number[]>): void
  fetch(uids: readonly number[], what: object): Fetching
  addFlags(uids: readonly number[], flags: readonly string[], done: (error?: Error) => void): void
  append(message: string, options: object, done: (error?: Error) => void): void
  move(uids: readonly number[], box: string, done: (error?: Error) => void): void
  expunge(done: (error?: Error) => void): void
}
type Done<T> = (error: Error | undefined, value: T) => void
interface Fetching {
  on(event: 'message', hear: (message: Fetched) => void): void
  once(event: 'end' | 'error', hear: (error: Error) => void): void
}
interface Fetched {
  on(event: 'body', hear: (stream: AsyncIterable<Buffer>) => void): void
}
const ask = <T>(question: (done: Done<T>) => void): Promise<T> => new Promise((resolve, reject) => question((error, value) => (error ? reject(error) : resolve(value))))
const tell = (order: (done: (error?: Error) => void) => void): Promise<void> => new Promise((resolve, reject) => order((error) => (error ? reject(error) : resolve())))

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk.toString('latin1')
  return text
}
async function bodiesOf(fetching: Fetching): Promise<string[]> {
  const bodies: Promise<string>[] = []
  fetching.on('message', (message) =>
    message.on('body', (stream) => {
      bodies.push(textOf(stream))
    }),
  )
  await new Promise<void>((resolve, reject) => {
    fetching.once('end', () => resolve())
    fetching.once('error', reject)
  })
  return await Promise.all(bodies)
}

const SECURITY: Readonly<Record<LinkName, { tls: boolean; autotls: string }>> = {
  plain: { tls: false, autotls: 'never' },
  STARTTLS: { tls: false, autotls: 'required' },
  'implicit TLS': { tls: true, autotls: 'never' },
}

describe('node-imap', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.remove())

  test.each(LINKS)('searches, reads, flags, files, moves, hears of news and expunges over $link', { timeout: 120_000 }, async ({ link, port }) => {
    await freshInbox(server)
    const Imap = createRequire(import.meta.url)('imap') as new (options: object) => NodeImap
    const said: string[] = []
    const imap = new Imap({
      user: 'alice',
      password: 'secret',
      host: 'localhost',
      port: server.ports[port],
      ...SECURITY[link],
      // The client's own patience is 5 seconds.
      authTimeout: 60_000,
      connTimeout: 60_000,
      tlsOptions: { ca: await readFile(server.certificate) },
      debug: (line: string) => said.push(line),
    })
    try {
      const ready = new Promise<void>((resolve, reject) => {
        imap.on('ready', () => resolve())
        imap.on('error', (error: Error) => reject(error))
      })
      // The end of the connection is this event: over implicit TLS this client tells of no other (its `end` is that of the socket below).
      const closed = new Promise<void>((resolve) => imap.on('close', () => resolve()))
      imap.connect()
      await ready
      await tell((done) => imap.addBox('Moved', done))
      const box = await ask<{ messages: { total: number } }>((done) => imap.openBox('INBOX', false, done))
      expect(box.messages.total).toBe(3)
      expect(await ask<number[]>((done) => imap.search([['TEXT', 'tea kettle']], done))).toEqual([1])
      const [picture] = await bodiesOf(imap.fetch([2], { bodies: ['2'], markSeen: true }))
      expect(picture).toBe('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9\r\nawAAAABJRU5ErkJggg==')
      const news = new Promise<number>((resolve) => imap.on('mail', (count: number) => resolve(count)))
      await tell((done) => imap.append('Subject: by node-imap\r\n\r\nHello\r\n', { mailbox: 'INBOX', flags: ['Flagged'] }, done))
      expect(await news).toBe(1)
      await tell((done) => imap.move([2], 'Moved', done))
      await tell((done) => imap.addFlags([1], ['\\Deleted'], done))
      await tell((done) => imap.expunge(done))
      expect(box.messages.total).toBe(2)
      imap.end()
      await closed
    } catch (error) {
      throw new Error(`the client said and heard:\n${said.join('\n')}`, { cause: error })
    }
    const inbox = await readFile(server.inbox('alice'), 'latin1')
    expect(subjectsIn(inbox)).toEqual(['Short', 'by node-imap'])
    expect(statusOf(messagesIn(inbox)[1] ?? '')).toContain('F')
    const moved = await readFile(join(server.home('alice'), 'Moved'), 'latin1')
    expect(subjectsIn(moved)).toEqual(['Plans with a picture'])
    expect(statusOf(messagesIn(moved)[0] ?? '')).toContain('R')
  })
})
