import { connect } from 'node:net'
import type { Readable, Writable } from 'node:stream'

/** A mail transport at its end of an LMTP connection. */
export class LmtpClient implements Disposable {
  readonly #out: Writable
  readonly #drop: () => void
  #heard = ''
  #position = 0
  #ended = false
  #wake = (): void => undefined

  constructor(input: Readable, out: Writable, drop: () => void) {
    this.#out = out
    this.#drop = drop
    const ended = (): void => {
      this.#ended = true
      this.#wake()
    }
    input.on('data', (chunk: Buffer) => {
      this.#heard += chunk.toString('latin1')
      this.#wake()
    })
    for (const event of ['end', 'close', 'error'] as const) input.on(event, ended)
    out.on('error', () => undefined)
  }
  /** To a port of this machine, or a socket file; the greeting is read. */
  static async open(to: number | string): Promise<LmtpClient> {
    const socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to)
    const client = new LmtpClient(socket, socket, () => socket.destroy())
    await client.replies(1)
    return client
  }
  /** The same, with LHLO behind it. */
  static async greeted(to: number | string): Promise<LmtpClient> {
    const client = await LmtpClient.open(to)
    await client.say('LHLO relay.example.org\r\n')
    return client
  }
  /** So many further replies, the lines of one as one. */
  async replies(count: number): Promise<readonly string[]> {
    const out: string[] = []
    while (out.length < count) {
      const found = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(this.#heard.slice(this.#position))
      if (found === null) {
        if (this.#ended) throw new Error(`no further reply after: ${this.#heard}`)
        await new Promise<void>((wake) => (this.#wake = wake))
        continue
      }
      this.#position += found[0].length
      out.push(found[0].trimEnd())
    }
    return out
  }
  send(text: string): void {
    this.#out.write(text, 'latin1')
  }
  async say(text: string, replies = 1): Promise<readonly string[]> {
    this.send(text)
    return this.replies(replies)
  }
  /** One message; the answers of all commands in their order, the dialogue of the envelope left out when it went well. */
  async hand(subject: string, to: readonly string[], body = 'x\r\n'): Promise<readonly string[]> {
    await this.say(`MAIL FROM:<>\r\n${to.map((one) => `RCPT TO:<${one}>\r\n`).join('')}DATA\r\n`, to.length + 2)
    return this.say(`Subject: ${subject}\r\n\r\n${body}.\r\n`, to.length)
  }
  /** No more is said; the other side may still answer. */
  end(): void {
    this.#out.end()
  }
  [Symbol.dispose](): void {
    this.#drop()
  }
}
