import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, Socket } from 'node:net'
import type { Server, SocketConstructorOpts } from 'node:net'
import { join } from 'node:path'

/**
 * The connection of a socket in a new one that is paused. A socket that came from another process, or from a server, has begun to read or
 * belongs to its server's account of connections; nothing of it has been read as long as this runs in the same turn.
 */
export function adopt(given: Socket): Socket {
  // Not in the typings, but how Node itself hands a connection from its server to a socket, in all versions that we support.
  const holder = given as unknown as { _handle?: object | null }
  const handle = holder._handle
  if (handle === undefined || handle === null) return given
  holder._handle = null
  given.destroy()
  // `handle` and `pauseOnCreate` are options of the constructor that the typings leave out.
  return new Socket({ handle, pauseOnCreate: true, allowHalfOpen: true } as SocketConstructorOpts)
}

/** Pairs of sockets that are connected with each other, for octets that must pass through this process. */
export class SocketPairs implements AsyncDisposable {
  readonly #server: Server
  readonly #folder: string
  #arrived: ((far: Socket) => void) | undefined
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(server: Server, folder: string) {
    this.#server = server
    this.#folder = folder
    server.on('connection', (far) => {
      if (this.#arrived === undefined) far.destroy()
      else this.#arrived(far)
    })
  }

  /** @param within a folder in which this account may make one of its own, which nobody else can enter. */
  static async open(within: string): Promise<SocketPairs> {
    const folder = await mkdtemp(join(within, 'mailwright-pipes-'))
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(join(folder, 'pipe'), resolve)
    })
    return new SocketPairs(server, folder)
  }

  /** Two ends, both paused. One pair is made at a time, so that the ends belong together. */
  make(): Promise<{ readonly near: Socket; readonly far: Socket }> {
    const made = this.#turn.then(() => this.#make())
    this.#turn = made.catch(() => undefined)
    return made
  }
  async #make(): Promise<{ near: Socket; far: Socket }> {
    const near = connect({ path: join(this.#folder, 'pipe'), allowHalfOpen: true })
    try {
      const far = await new Promise<Socket>((resolve, reject) => {
        this.#arrived = resolve
        near.once('error', reject)
      })
      near.removeAllListeners('error')
      return { near, far: adopt(far) }
    } catch (error) {
      near.destroy()
      throw error
    } finally {
      this.#arrived = undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
