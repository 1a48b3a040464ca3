import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { readFile, writeFile } from 'node:fs/promises'
import { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const CONNECTIONS = LONG ? 600 : 90
const AT_ONCE = 30
const BODY_OCTETS = 600_000
const LARGEST_PIECE = 700
const BODY = Buffer.alloc(BODY_OCTETS, 'line of a message that is larger than what waits for a client\n')
const MESSAGE = `From a@example.org Mon Jan  5 09:08:07 2026\nFrom: a@example.org\nSubject: large\n\n${BODY.toString()}\n\n`

/** A TCP connection whose octets leave in pieces of random size, each in a turn of its own, and are taken in no less strange portions. */
class Pieces extends Duplex {
  readonly #tcp: Socket
  readonly #random: () => number
  constructor(tcp: Socket, random: () => number) {
    super()
    this.#tcp = tcp
    this.#random = random
    tcp.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) tcp.pause()
    })
    tcp.on('end', () => this.push(null))
    tcp.on('error', (error) => this.destroy(error))
    tcp.on('close', () => this.destroy())
  }
  override _read(): void {
    // A slow reader: the kernel's buffers fill, and the server has to wait.
    setImmediate(() => this.#tcp.resume())
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const send = (from: number): void => {
      if (from >= chunk.length) return done()
      const to = from + 1 + Math.floor(this.#random() * LARGEST_PIECE)
      this.#tcp.write(chunk.subarray(from, to), () => setImmediate(send, to))
    }
    send(0)
  }
  override _final(done: () => void): void {
    this.#tcp.end(done)
  }
}

/** Octets that came, with a wait for a text at their end. */
class Heard {
  #text = ''
  #over = false
  #wake: () => void = () => undefined
  constructor(stream: Duplex) {
    stream.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#wake()
    })
    const end = (): void => {
      this.#over = true
      this.#wake()
    }
    stream.on('end', end).on('close', end).on('error', end)
  }
  async until(line: RegExp): Promise<string> {
    while (!line.test(this.#text.slice(-400))) {
      if (this.#over) throw new Error(`the connection ended after ${this.#text.length} octets: ${this.#text.slice(-200)}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    return this.#text
  }
}

describe('TLS in pieces', () => {
  let server: RunningServer
  let ca: Buffer
  beforeAll(async () => {
    server = await startServer()
    await writeFile(server.inbox('alice'), MESSAGE)
    ca = await readFile(server.certificate)
  })
  afterAll(() => server.remove())

  async function secured(kind: 'implicit' | 'STARTTLS', version: 'TLSv1.2' | 'TLSv1.3', random: () => number): Promise<TLSSocket> {
    const tcp = connectTcp(kind === 'implicit' ? server.ports.imaps : server.ports.imap, '127.0.0.1')
    tcp.setNoDelay(true)
    await once(tcp, 'connect')
    const pieces = new Pieces(tcp, random)
    if (kind === 'STARTTLS') {
      const clear = new Heard(pieces)
      await clear.until(/^\* OK .*\r\n$/)
      pieces.write('s STARTTLS\r\n')
      await clear.until(/s OK .*\r\n$/)
      pieces.removeAllListeners('data')
      pieces.pause()
    }
    return connectTls({ socket: pieces, ca, servername: 'localhost', minVersion: version, maxVersion: version })
  }

  async function session(kind: 'implicit' | 'STARTTLS', version: 'TLSv1.2' | 'TLSv1.3', random: () => number): Promise<void> {
    const tls = await secured(kind, version, random)
    const heard = new Heard(tls)
    // Written before the handshake is done, so that the commands come right behind it, before a greeting can have been read.
    tls.write('a CAPABILITY\r\nb LOGIN alice secret\r\nc EXAMINE INBOX\r\nd FETCH 1 BODY.PEEK[TEXT]\r\ne NOOP\r\n')
    const text = await heard.until(/e OK NOOP completed\r\n$/)
    expect(text).toContain('b OK ')
    const from = text.indexOf('BODY[TEXT] {')
    const literal = text.slice(text.indexOf('\r\n', from) + 2, text.lastIndexOf(')\r\nd OK'))
    expect(literal === BODY.toString().replaceAll('\n', '\r\n') + '\r\n', 'the octets of the message').toBe(true)
    if (random() < 0.5) tls.end('f LOGOUT\r\n')
    else tls.write('f LOGOUT\r\n')
    await heard.until(/f OK LOGOUT completed\r\n$/)
    tls.destroy()
  }

  test(`${CONNECTIONS} sessions over TLS and STARTTLS: every command is answered, every octet arrives`, { timeout: 600_000 }, async () => {
    const random = randomOf(seedOf('TLS in pieces'))
    let left = CONNECTIONS
    const worker = async (): Promise<void> => {
      while (left > 0) {
        const n = left--
        await session(n % 2 === 0 ? 'implicit' : 'STARTTLS', n % 4 < 2 ? 'TLSv1.2' : 'TLSv1.3', random)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    expect(server.log()).not.toMatch(/error|Unable to accept SSL connection host=\[127\.0\.0\.1\]: (?!the client went away)/)
  })

  test.each(['implicit', 'STARTTLS'] as const)('a client that sends everything and half-closes after %s gets all answers', async (kind) => {
    const tls = await secured(kind, 'TLSv1.3', randomOf(1))
    const heard = new Heard(tls)
    tls.end('a LOGIN alice secret\r\nb EXAMINE INBOX\r\nc FETCH 1 BODY.PEEK[TEXT]\r\n')
    const text = await heard.until(/c OK FETCH completed\r\n/)
    expect(text.length).toBeGreaterThan(BODY_OCTETS)
    tls.destroy()
  })
})
