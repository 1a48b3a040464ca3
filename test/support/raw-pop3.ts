import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'

/** What a SASL client says: its first octets, if it speaks first, and its answers to challenges. */
export interface SaslDialogue {
  readonly initial?: Uint8Array | undefined
  /** Undefined: it gives up. */
  answer?(challenge: Buffer): Uint8Array | undefined
}

/** The simplest POP3 client: one command at a time, every octet as it came. */
export class RawPop3 {
  #socket: Socket
  #buffer = ''
  #ended = false
  #wake: (() => void) | undefined
  private constructor(socket: Socket) {
    this.#socket = socket
    this.#listen()
  }
  /** Connects over this link, and takes the greeting. */
  static async over(socket: Socket): Promise<RawPop3> {
    const client = new RawPop3(socket)
    const greeting = await client.line()
    if (greeting?.startsWith('+OK') !== true) throw new Error(`greeting: ${greeting}`)
    return client
  }
  static async open(port: number): Promise<RawPop3> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return RawPop3.over(socket)
  }
  /** Implicit TLS. */
  static async openTls(port: number, options: ConnectionOptions): Promise<{ readonly client: RawPop3; readonly secure: TLSSocket }> {
    const secure = connectTls({ port, host: 'localhost', servername: 'localhost', ...options })
    await once(secure, 'secureConnect')
    return { client: await RawPop3.over(secure), secure }
  }
  /** TLS from here on. */
  async stls(options: ConnectionOptions): Promise<TLSSocket> {
    const answer = await this.do('STLS')
    if (!answer.startsWith('+OK')) throw new Error(`STLS: ${answer}`)
    this.#socket.removeAllListeners('data')
    this.#socket.removeAllListeners('close')
    const secure = connectTls({ socket: this.#socket, servername: 'localhost', ...options })
    await once(secure, 'secureConnect')
    this.#socket = secure
    this.#listen()
    return secure
  }
  static async login(port: number, user: string, password = 'secret'): Promise<RawPop3> {
    const client = await RawPop3.open(port)
    const answer = await client.enter(user, password)
    if (!answer.startsWith('+OK')) throw new Error(`login: ${answer}`)
    return client
  }
  /** What PASS is answered. */
  async enter(user: string, password = 'secret'): Promise<string> {
    await this.do(`USER ${user}`)
    return this.do(`PASS ${password}`)
  }
  send(text: string): void {
    this.#socket.write(text, 'latin1')
  }
  /** A command whose answer is one line. */
  async do(command: string): Promise<string> {
    this.send(`${command}\r\n`)
    return (await this.line()) ?? '<end>'
  }
  /** Lines of an answer of several, without the first and the dot, as they were before dots were doubled; throws on -ERR. */
  async lines(command: string): Promise<readonly string[]> {
    const first = await this.do(command)
    if (!first.startsWith('+OK')) throw new Error(`${command}: ${first}`)
    const lines: string[] = []
    for (;;) {
      const line = await this.line()
      if (line === undefined) throw new Error(`${command}: the link ended`)
      if (line === '.') return lines
      lines.push(line.startsWith('.') ? line.slice(1) : line)
    }
  }
  /** Subjects by message number. */
  async subjects(): Promise<readonly string[]> {
    const found: string[] = []
    for (const line of await this.lines('LIST')) {
      const header = await this.lines(`TOP ${line.split(' ', 1)[0]} 0`)
      found.push(header.find((l) => l.startsWith('Subject: '))?.slice(9) ?? '?')
    }
    return found
  }
  /** The next line without its CRLF; undefined: the server has closed the link. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n')
      if (end >= 0) {
        const line = this.#buffer.slice(0, end)
        this.#buffer = this.#buffer.slice(end + 2)
        return line
      }
      if (this.#ended) return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
  /** AUTH (RFC 5034 §4): the first octets of the client go with the command or, with `asked`, when they are asked for; the last line. */
  async auth(mechanism: string, { initial, answer }: SaslDialogue, asked = false): Promise<string> {
    const base64 = (octets: Uint8Array): string => (octets.length === 0 ? '=' : Buffer.from(octets).toString('base64'))
    let waiting = asked ? initial : undefined
    let line = await this.do(asked || initial === undefined ? `AUTH ${mechanism}` : `AUTH ${mechanism} ${base64(initial)}`)
    while (line.startsWith('+ ')) {
      const response = waiting ?? answer?.(Buffer.from(line.slice(2), 'base64'))
      waiting = undefined
      line = await this.do(response === undefined ? '*' : Buffer.from(response).toString('base64'))
    }
    return line
  }
  /** Drops the link without a word. */
  drop(): void {
    this.#socket.destroy()
  }
  /** QUIT: its answer, after the server closed the link. */
  async quit(): Promise<string> {
    const answer = await this.do('QUIT')
    const more = await this.line()
    if (more !== undefined) throw new Error(`after QUIT: ${more}`)
    return answer
  }

  #listen(): void {
    const socket = this.#socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#buffer += chunk.toString('latin1')
      this.#wake?.()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
  }
}
