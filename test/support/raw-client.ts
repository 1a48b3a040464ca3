import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A response line with its literals in place. */
export interface Reply {
  readonly status: 'OK' | 'NO' | 'BAD'
  readonly text: string
  /** Untagged lines, whole, literals in place. */
  readonly untagged: readonly string[]
}
/** The link ended before the tagged line came. */
export class LinkLost extends Error {
  /** Untagged lines that came before. */
  readonly heard: string[] = []
}

/** The simplest IMAP client: one command at a time, every octet as it came. */
export class RawClient {
  readonly #socket: Socket
  #buffer = Buffer.alloc(0)
  #chunks: Buffer[] = []
  #ended = false
  #wake: (() => void) | undefined
  #tag = 0
  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#wake?.()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
  }
  /** Connects and takes the greeting. */
  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const client = new RawClient(socket)
    const greeting = await client.line()
    if (!greeting.startsWith('* OK')) throw new Error(`greeting: ${greeting}`)
    return client
  }
  static async login(port: number, user: string, password = 'secret'): Promise<RawClient> {
    const client = await RawClient.open(port)
    const reply = await client.do(`LOGIN ${user} ${password}`)
    if (reply.status !== 'OK') throw new Error(`login: ${reply.text}`)
    return client
  }
  /** The port of this end. */
  get localPort(): number {
    return this.#socket.localPort ?? 0
  }
  send(text: string | Uint8Array): void {
    this.#socket.write(text)
  }
  /** Sends a command; `literal` goes after the continuation. */
  async do(command: string, literal?: string | Uint8Array): Promise<Reply> {
    const tag = `t${++this.#tag}`
    this.send(`${tag} ${command}\r\n`)
    const untagged: string[] = []
    for (;;) {
      const line = await this.line().catch((error: unknown) => {
        if (error instanceof LinkLost) error.heard.push(...untagged)
        throw error
      })
      if (line.startsWith('+ ') && literal !== undefined) {
        this.send(literal)
        this.send('\r\n')
      } else if (line.startsWith(`${tag} `)) {
        const [, status, text] = /^\S+ (OK|NO|BAD) ?(.*)$/s.exec(line) ?? []
        if (status === undefined) throw new Error(`tagged line: ${line}`)
        return { status: status as Reply['status'], text: text ?? '', untagged }
      } else untagged.push(line)
    }
  }
  /** APPEND of one message. */
  append(mailbox: string, message: string, flags = ''): Promise<Reply> {
    return this.do(`APPEND ${mailbox} ${flags}${flags === '' ? '' : ' '}{${Buffer.byteLength(message)}}`, message)
  }
  /** The next line without its CRLF, literals in place. */
  async line(): Promise<string> {
    let from = 0
    for (;;) {
      const end = this.#buffer.indexOf('\r\n', from)
      if (end === -1) {
        await this.#more()
        continue
      }
      const literal = /\{(\d+)\}$/.exec(this.#buffer.subarray(Math.max(0, end - 16), end).toString('latin1'))
      if (literal === null) {
        const line = this.#buffer.subarray(0, end).toString('latin1')
        this.#buffer = this.#buffer.subarray(end + 2)
        return line
      }
      from = end + 2 + Number(literal[1])
      while (this.#buffer.length < from) await this.#more()
    }
  }
  async #more(): Promise<void> {
    while (this.#chunks.length === 0) {
      if (this.#ended) throw new LinkLost('the link ended')
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    this.#buffer = Buffer.concat([this.#buffer, ...this.#chunks])
    this.#chunks = []
  }
  /** Drops the link without a word. */
  drop(): void {
    this.#socket.destroy()
  }
  async logout(): Promise<void> {
    await this.do('LOGOUT')
    this.#socket.destroy()
  }
}
