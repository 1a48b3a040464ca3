import { once } from 'node:events'
import { connect } from 'node:net'
import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { messagesIn, SAMPLE_MAILBOX } from '../support/sample-mailbox.js'

/** A session of RFC 937 on a socket, one octet or everything at a time; what was heard until the server closed. */
async function pop2(port: number, lines: readonly string[], piece = Number.MAX_SAFE_INTEGER): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  await once(socket, 'connect')
  const text = lines.map((line) => `${line}\r\n`).join('')
  for (let at = 0; at < text.length; at += piece) {
    socket.write(text.slice(at, at + piece), 'latin1')
    if (piece < text.length) await new Promise(setImmediate)
  }
  await once(socket, 'close')
  return heard
}

describe('POP2 on a socket', () => {
  let far: RunningServer
  let near: RunningServer
  beforeAll(async () => {
    far = await startServer()
    near = await startServer({
      listeners: (port) => `pop2: { protocol: pop2, address: 127.0.0.1, port: ${port} }`,
      host: `pop3:
  extensions:
    - { use: imap-proxy, trust: ${far.certificate}, allowedHosts: [ { host: localhost, port: ${far.ports.imap} } ] }`,
    })
  })
  afterAll(async () => {
    await near?.remove()
    await far?.remove()
  })
  beforeEach(async () => {
    await writeFile(near.inbox('alice'), SAMPLE_MAILBOX, { mode: 0o600 })
    await writeFile(far.inbox('alice'), SAMPLE_MAILBOX, { mode: 0o600 })
  })
  const left = async (server: RunningServer): Promise<readonly string[]> => messagesIn(await readFile(server.inbox('alice'), 'latin1')).map((m) => /^Subject: (.*)$/m.exec(m)?.[1] ?? '?')

  test.each([
    { how: 'at once', piece: Number.MAX_SAFE_INTEGER }, { how: 'an octet at a time', piece: 1 },
  ])('messages come with the size that was announced, and what was acknowledged is gone at QUIT: $how', async ({ piece }) => {
    const heard = await pop2(near.ports.extra, ['HELO alice secret', 'READ 1', 'RETR', 'ACKS', 'RETR', 'ACKD', 'QUIT'], piece)
    const [greeting, opened, first] = heard.split('\r\n')
    expect([greeting, opened]).toEqual(['+ POP2 localhost server ready', '#3 messages in INBOX'])
    const size = Number(/^=(\d+) characters in message 1$/.exec(first ?? '')?.[1])
    const from = heard.indexOf('message 1\r\n') + 11
    expect(heard.slice(from, from + size)).toMatch(/^[^]*Subject: Minutes of Monday\r\n[^]*\r\nStatus: {3}\r\n\r\n[^]*\r\n$/)
    expect(heard.slice(from + size)).toMatch(/^=\d+ characters in message 2\r\n/)
    expect(heard).toMatch(/=\d+ characters in message 3\r\n\+ Sayonara\r\n$/)
    expect(await left(near)).toEqual(['Minutes of Monday', 'Short'])
  })

  test('HOST:USER has the mailboxes of the account there, and no others; a host that is not on the list is nobody', async () => {
    const heard = await pop2(near.ports.extra, ['HELO localhost:alice secret', 'READ 2', 'RETR', 'ACKD', 'FOLD nowhere', 'FOLD INBOX', 'READ 1', 'QUIT'])
    expect(heard.split('\r\n').filter((line) => /^[#+-] ?[\w]/.test(line) || line.startsWith('#'))).toEqual([
      '+ POP2 localhost server ready', '#3 messages in INBOX', '#0 messages in <none>', '#2 messages in INBOX', '+ Sayonara',
    ])
    expect(await left(far)).toEqual(['Minutes of Monday', 'Short'])
    expect(await left(near)).toHaveLength(3)
    for (const [user, password] of [['localhost:alice', 'wrong'], ['127.0.0.1:alice', 'secret'], ['example.org:alice', 'secret']]) {
      expect(await pop2(near.ports.extra, [`HELO ${user} ${password}`])).toBe('+ POP2 localhost server ready\r\n- Bad login\r\n')
    }
  })

  test('a POP3 session keeps the maildrop from it', async () => {
    const pop3 = await RawPop3.login(near.ports.pop3, 'alice')
    expect(await pop2(near.ports.extra, ['HELO alice secret', 'QUIT'])).toBe('+ POP2 localhost server ready\r\n#0 messages in <none>\r\n+ Sayonara\r\n')
    await pop3.quit()
    expect(await pop2(near.ports.extra, ['HELO alice secret', 'QUIT'])).toBe('+ POP2 localhost server ready\r\n#3 messages in INBOX\r\n+ Sayonara\r\n')
  })
})
