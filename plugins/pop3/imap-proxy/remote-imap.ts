import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { MailError } from 'mailwright/api'

/** Where an IMAP server is, and how the way to it is secured. */
export interface RemoteHost {
  readonly host: string
  readonly port: number
  readonly tls: 'starttls' | 'implicit' | 'none'
  /** PEM; undefined: what the machine trusts. */
  readonly ca: string | undefined
}

/** One answer of the server: text of a line, with its literals in place of their sizes. */
export interface Answer {
  /** Literals stand as `{n}` with their octets in `literals`, in order. */
  readonly text: string
  readonly literals: readonly Uint8Array[]
}

const MOST_WAITING = 64 << 20

/** The few commands of IMAP4rev1 that a proxy needs, one after the other, over a connection of its own. Whatever fails is `unavailable`. */
export class RemoteImap {
  #socket: Socket
  #buffer: Buffer = Buffer.alloc(0)
  #ended: Error | undefined
  #wake: (() => void) | undefined
  #tag = 0
  readonly #timeoutMs: number

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    this.#listen()
  }

  /** Connected, greeted and encrypted. */
  static async open(at: RemoteHost, timeoutMs: number, signal: AbortSignal): Promise<RemoteImap> {
    const trust: ConnectionOptions = { host: at.host, servername: at.host, ...(at.ca === undefined ? {} : { ca: at.ca }) }
    const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    let socket: Socket | undefined
    try {
      socket = at.tls === 'implicit' ? connectTls({ ...trust, port: at.port }) : connectTcp({ host: at.host, port: at.port })
      await once(socket, at.tls === 'implicit' ? 'secureConnect' : 'connect', { signal: within })
      const remote = new RemoteImap(socket, timeoutMs)
      const greeting = await remote.#answer()
      if (!/^\* OK/i.test(greeting.text)) throw new Error(`the greeting is ${greeting.text.slice(0, 80)}`)
      if (at.tls === 'starttls') await remote.#startTls(trust, within)
      return remote
    } catch (cause) {
      socket?.destroy()
      throw cause instanceof MailError ? cause : new MailError('unavailable', `${at.host} port ${at.port}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
  }

  /**
   * Sends a command; strings are sent as literals where they must be.
   * @throws MailError `denied` when the server answers NO, `unavailable` for everything else.
   */
  async command(...parts: readonly (string | { readonly string: Uint8Array })[]): Promise<readonly Answer[]> {
    const tag = `p${++this.#tag}`
    this.#socket.write(`${tag} `)
    for (const [i, part] of parts.entries()) {
      const space = i === 0 ? '' : ' '
      if (typeof part === 'string') this.#socket.write(space + part)
      else {
        this.#socket.write(`${space}{${part.string.length}}\r\n`)
        const go = await this.#answer()
        if (!go.text.startsWith('+')) throw new MailError('unavailable', `the server does not take a literal: ${go.text.slice(0, 80)}`)
        this.#socket.write(part.string)
      }
    }
    this.#socket.write('\r\n')
    const answers: Answer[] = []
    for (;;) {
      const answer = await this.#answer()
      if (!answer.text.startsWith(`${tag} `)) {
        answers.push(answer)
        continue
      }
      answers.push(answer)
      if (/^\S+ OK/i.test(answer.text)) return answers
      throw new MailError(/^\S+ NO/i.test(answer.text) ? 'denied' : 'unavailable', `the server answers ${answer.text.slice(0, 120)}`)
    }
  }
  async logout(): Promise<void> {
    try {
      await this.command('LOGOUT')
    } catch {
      // It goes in any case.
    } finally {
      this.#socket.destroy()
    }
  }
  close(): void {
    this.#socket.destroy()
  }

  async #startTls(trust: ConnectionOptions, signal: AbortSignal): Promise<void> {
    await this.command('STARTTLS')
    if (this.#buffer.length > 0) throw new MailError('unavailable', 'the server said more before TLS began')
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.removeAllListeners('close')
    const socket = connectTls({ ...trust, socket: plain })
    await once(socket, 'secureConnect', { signal })
    this.#socket = socket
    this.#listen()
  }
  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
      if (this.#buffer.length > MOST_WAITING) this.#socket.destroy(new Error('an answer is too long'))
      this.#wake?.()
    })
    const end = (error?: unknown): void => {
      this.#ended ??= error instanceof Error ? error : new Error('the server has closed the connection')
      this.#wake?.()
    }
    this.#socket.on('error', end)
    this.#socket.on('close', end)
  }
  async #answer(): Promise<Answer> {
    const literals: Uint8Array[] = []
    let text = ''
    let at = 0
    for (;;) {
      const end = this.#buffer.indexOf('\r\n', at)
      if (end < 0) {
        await this.#more()
        continue
      }
      const line = this.#buffer.toString('latin1', at, end)
      text += line
      const size = Number(/\{(\d+)\}$/.exec(line)?.[1] ?? Number.NaN)
      if (Number.isNaN(size)) {
        this.#buffer = this.#buffer.subarray(end + 2)
        return { text, literals }
      }
      while (this.#buffer.length < end + 2 + size) await this.#more()
      literals.push(this.#buffer.subarray(end + 2, end + 2 + size))
      at = end + 2 + size
    }
  }
  async #more(): Promise<void> {
    if (this.#ended !== undefined) throw new MailError('unavailable', this.#ended.message, { cause: this.#ended })
    const timer = setTimeout(() => this.#socket.destroy(new Error('the server does not answer')), this.#timeoutMs)
    try {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    } finally {
      clearTimeout(timer)
      this.#wake = undefined
    }
  }
}
