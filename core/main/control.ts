import { mkdir, chmod, rm, unlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'

const SOCKET = 'control.sock'
const PID = 'mailwright.pid'
/** Requests are one line. */
const LONGEST_REQUEST = 600
const REQUEST = /^(?:reload|status|blocks (?:list|clear(?: \S.*)?))$/
const ANSWER_MS = 120_000

/** What can be asked of a running server. */
export type ControlRequest = 'reload' | 'status' | `blocks ${string}`
/** What it answers; `text` is for a person. */
export interface ControlAnswer {
  readonly ok: boolean
  readonly text: string
}

/** The socket through which commands of the same account reach a running server. */
export class ControlSocket implements AsyncDisposable {
  readonly #server: Server
  readonly #folder: string

  private constructor(server: Server, folder: string) {
    this.#server = server
    this.#folder = folder
  }

  /** @throws when another server answers there, or the folder cannot be used. */
  static async open(folder: string, answer: (request: ControlRequest) => Promise<ControlAnswer>): Promise<ControlSocket> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, SOCKET)
    if (await answers(path)) throw new Error(`another server is running, it answers on ${path}`)
    await rm(path, { force: true })
    const server = createServer({ allowHalfOpen: true }, (socket) => hear(socket, answer))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
    await chmod(path, 0o600)
    await writeFile(join(folder, PID), `${process.pid}\n`, { mode: 0o644 })
    return new ControlSocket(server, folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closing takes the socket's name away.
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()))
    await unlink(join(this.#folder, PID)).catch(() => undefined)
  }
}

/**
 * Asks the server that runs with this folder.
 * @throws when there is none.
 */
export async function askServer(folder: string, request: ControlRequest): Promise<ControlAnswer> {
  const socket = connect(join(folder, SOCKET))
  const text = await new Promise<string>((resolve, reject) => {
    let heard = ''
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('the server does not answer')))
    socket.once('connect', () => void socket.end(`${request}\n`))
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('utf8')
    })
    socket.once('end', () => resolve(heard))
    socket.once('error', reject)
  })
  const [first = '', ...rest] = text.split('\n')
  return { ok: first === 'ok', text: rest.join('\n').trimEnd() }
}

function hear(socket: Socket, answer: (request: ControlRequest) => Promise<ControlAnswer>): void {
  let text = ''
  const reply = (said: ControlAnswer): void => void socket.end(`${said.ok ? 'ok' : 'failed'}\n${said.text}\n`)
  const hearMore = (chunk: Buffer): void => {
    text += chunk.toString('latin1')
    if (!text.includes('\n') && text.length <= LONGEST_REQUEST) return
    socket.off('data', hearMore)
    socket.off('end', gone)
    const request = Buffer.from(text.split('\n', 1)[0] ?? '', 'latin1').toString('utf8')
    if (!isRequest(request)) reply({ ok: false, text: 'unknown request' })
    else answer(request).then(reply, (error: unknown) => reply({ ok: false, text: error instanceof Error ? error.message : String(error) }))
  }
  // Whoever only looks whether somebody answers says nothing.
  const gone = (): void => void socket.destroy()
  socket.on('error', () => undefined)
  socket.on('data', hearMore)
  socket.on('end', gone)
}

function isRequest(text: string): text is ControlRequest {
  return REQUEST.test(text)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
