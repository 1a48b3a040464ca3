import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** A client without manners: sends what it is given, keeps what comes, and never fails by itself. */
export class RudeClient implements AsyncDisposable {
  readonly socket: Socket
  #chunks: Buffer[] = []
  #octets = 0
  #ended = false
  #wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#octets += chunk.length
      this.#wake?.()
    })
    socket.on('error', () => undefined)
    for (const event of ['end', 'close'] as const) {
      socket.on(event, () => {
        this.#ended = true
        this.#wake?.()
      })
    }
  }
  /** Connected; the greeting is left among the output. Resolves also when the connection was refused: see `ended`. */
  static async open(port: number): Promise<RudeClient> {
    const socket = connect(port, '127.0.0.1')
    const client = new RudeClient(socket)
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined)
    return client
  }
  static async login(port: number, user: string): Promise<RudeClient> {
    const client = await RudeClient.open(port)
    client.send(`login LOGIN ${user} secret\r\n`)
    await client.until('login OK')
    return client
  }
  /** The other end has closed, or cannot be reached. */
  get ended(): boolean {
    return this.#ended
  }
  /** Octets that came so far. */
  get octets(): number {
    return this.#octets
  }
  /** What came so far. */
  get output(): string {
    return this.bytes.toString('latin1')
  }
  get bytes(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0] ?? Buffer.alloc(0)
  }
  send(text: string | Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }
  /** Each octet in a segment of its own. */
  async drip(text: string): Promise<void> {
    for (const octet of Buffer.from(text, 'latin1')) {
      await new Promise<void>((resolve) => this.socket.write(Uint8Array.of(octet), () => resolve()))
    }
  }
  /** Waits for `text` in the output since the last call and gives everything up to the end of its line; undefined when the link ended before. */
  async until(text: string): Promise<string | undefined> {
    for (;;) {
      const { bytes } = this
      const found = bytes.indexOf(text, 0, 'latin1')
      const end = found < 0 ? -1 : bytes.indexOf('\r\n', found)
      if (end >= 0) {
        this.#chunks = [bytes.subarray(end + 2)]
        return bytes.subarray(0, end).toString('latin1')
      }
      if (this.#ended) return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
  /** A command and its lines, the tagged one last; literals are not looked at. */
  async command(tag: string, text: string): Promise<readonly string[]> {
    this.send(`${tag} ${text}\r\n`)
    return (await this.until(`${tag} `))?.split('\r\n') ?? []
  }
  /** Everything until the other end closes. */
  async rest(): Promise<string> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.output
  }
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.destroyed) return
    const closed = once(this.socket, 'close')
    this.socket.destroy()
    await closed
  }
}

/** Memory of a process in KiB: its proportional share (PSS) and what is resident. */
export async function memoryOf(pid: number): Promise<{ readonly pss: number; readonly rss: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN)
  return { pss: field('Pss'), rss: field('Rss') }
}
/** The largest memory seen while something runs, in KiB of PSS. */
export async function peakOf(pid: number, during: Promise<unknown>): Promise<number> {
  const over = Symbol('over')
  let peak = 0
  do peak = Math.max(peak, (await memoryOf(pid)).pss)
  while ((await Promise.race([during.then(() => over), pause(50)])) !== over)
  return peak
}
/** Waits until something is true. There is no event to wait for: the server is another process. */
export async function eventually(what: string, isTrue: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const until = Date.now() + withinMs
  while (!(await isTrue())) {
    if (Date.now() > until) throw new Error(`not seen: ${what}`)
    await pause(20)
  }
}
