import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CLI, startServer, type RunningServer } from '../support/running-server.js'

/*
 * How a session that ends without a goodbye of its client is told in the log, over real links. The log names whoever was logged in, in exactly one
 * line.
 */

/** More than a link takes before its reader reads. */
const LARGE = `From bob Fri Jan  2 03:04:05 2026\nSubject: large\n\n${`${'x'.repeat(70)}\n`.repeat(200_000)}\n`
const ENDS = /^\S+ \S+ info {2}((?:Hangup|Killed|Logout|Autologout|.*, while \S+ \S+|Ended|Broken off|Fatal)\b.*) user=alice host=(\S+) session=\S+$/gm

let server: RunningServer
beforeEach(async () => {
  server = await startServer({ files: { 'mail/alice/INBOX': LARGE } })
})
afterEach(() => server.remove())

const ends = (): readonly string[] => [...server.log().matchAll(ENDS)].map(([, word, host]) => `${word} ${host}`)
/** Sends lines one after the other and waits for the end of what each is answered. */
async function session(port: number, said: readonly (readonly [string, RegExp])[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let heard = ''
  const hear = (chunk: Buffer): void => void (heard += chunk.toString('latin1'))
  socket.on('data', hear)
  for (const [line, answer] of said) {
    if (line !== '') socket.write(`${line}\r\n`)
    while (!answer.test(heard)) await once(socket, 'data')
    heard = ''
  }
  socket.off('data', hear)
  socket.pause()
  return socket
}
const imap = (): Promise<Socket> => session(server.ports.imap, [['', /OK/], ['a LOGIN alice secret', /a OK/], ['b SELECT INBOX', /b OK/]])
const pop3 = (): Promise<Socket> => session(server.ports.pop3, [['', /\+OK/], ['USER alice', /\+OK/], ['PASS secret', /\+OK/]])
const protocols = [
  { protocol: 'IMAP', open: imap, fetch: 'c FETCH 1 BODY.PEEK[]' },
  { protocol: 'POP3', open: pop3, fetch: 'RETR 1' },
]

describe.each(protocols)('$protocol: the log says', ({ protocol, open, fetch }) => {
  test('Hangup where the client went while it was written to', async () => {
    const socket = await open()
    socket.write(`${fetch}\r\n`)
    // The answer is on its way, and what the client does not take fills the link.
    await once(socket.resume(), 'data')
    socket.pause()
    socket.destroy()
    await expect.poll(ends, { timeout: 10_000 }).toEqual(['Hangup [127.0.0.1]'])
  })
  test('the words of the system where the link broke while the client was waited for', async () => {
    const socket = await open()
    socket.resetAndDestroy()
    await expect.poll(ends, { timeout: 10_000 }).toEqual(['Connection reset by peer, while reading line [127.0.0.1]'])
  })
  test('Killed where the server stops', async () => {
    await open()
    await server.stop()
    expect(ends()).toEqual([`${protocol === 'IMAP' ? 'Killed (terminated)' : 'Killed'} [127.0.0.1]`])
  })
})

describe('a server that stops while a client takes nothing', () => {
  test.each(protocols)('$protocol: is not kept, and the log says Killed', async ({ protocol, open, fetch }) => {
    await server.remove()
    server = await startServer({ files: { 'mail/alice/INBOX': LARGE }, drainTimeout: '1s' })
    const socket = await open()
    socket.write(`${fetch}\r\n`)
    await once(socket.resume(), 'data')
    socket.pause()
    await server.stop()
    expect(ends()).toEqual([`${protocol === 'IMAP' ? 'Killed (terminated)' : 'Killed'} [127.0.0.1]`])
    socket.destroy()
  })
})

describe('a session on standard input and output', () => {
  test('whose terminal hangs up ends without a word, and is Hangup in the log', async () => {
    await server.stop()
    const child = spawn(process.execPath, [CLI, 'imapd', '--config', server.config, ...(process.getuid?.() === 0 ? ['--user', 'alice'] : [])], { stdio: ['pipe', 'pipe', 'pipe'] })
    let out = ''
    let log = ''
    child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => void (log += chunk.toString()))
    child.stdin.write('a SELECT INBOX\r\n')
    while (!/^a OK/m.test(out)) await once(child.stdout, 'data')
    const before = out
    child.kill('SIGHUP')
    await once(child, 'close')
    expect([child.exitCode, child.signalCode, out]).toEqual([0, null, before])
    expect([...log.matchAll(ENDS)].map(([, word, host]) => `${word} ${host}`)).toEqual(['Hangup UNKNOWN'])
  })
  test('to whom nobody listens any more is Hangup too', async () => {
    await server.stop()
    const child = spawn(process.execPath, [CLI, 'imapd', '--config', server.config, ...(process.getuid?.() === 0 ? ['--user', 'alice'] : [])], { stdio: ['pipe', 'pipe', 'pipe'] })
    let out = ''
    let log = ''
    child.stdin.on('error', () => undefined)
    child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => void (log += chunk.toString()))
    child.stdin.write('a SELECT INBOX\r\n')
    while (!/^a OK/m.test(out)) await once(child.stdout, 'data')
    child.stdout.destroy()
    child.stdin.write('b FETCH 1 BODY.PEEK[]\r\n')
    await once(child, 'close')
    expect([...log.matchAll(ENDS)].map(([, word, host]) => `${word} ${host}`)).toEqual(['Hangup UNKNOWN'])
  })
})
