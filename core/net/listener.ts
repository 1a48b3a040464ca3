import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { failedWith } from '../api/index.js'
import { plainAddress } from './addresses.js'
import { listenOnFile, type UnixPlace } from './unix-socket.js'

/** Connections that the kernel keeps until they are accepted; it has its own upper bound. */
const BACKLOG = 1024

/** Where to listen. */
export interface ListenOptions {
  /** `undefined`: every address, IPv6 and IPv4. `localhost` is 127.0.0.1 and, where the machine has it, ::1. */
  readonly address: readonly string[] | undefined
  /** 0: any free port, the same for all addresses. */
  readonly port: number
  /** Instead of address and port. */
  readonly unix?: UnixPlace | undefined
  /** Descriptors that are already listening; address and port do not count then. */
  readonly inherited: readonly number[]
  /** More connections than these at one time are closed at once; undefined: no limit. */
  readonly maxConnections: number | undefined
}

/** A place that is listened on; a socket file is an address without a port. */
export interface BoundAddress {
  readonly address: string
  readonly port: number
}

/** A connection came; `socket` is paused and nothing has been read from it. */
export type AcceptHandler = (socket: Socket) => void

/** Listening sockets of one configured listener. */
export class Listener {
  readonly #servers: Server[] = []
  readonly #bound: BoundAddress[] = []

  /** The addresses it really has. */
  get bound(): readonly BoundAddress[] {
    return this.#bound
  }

  /** @throws the system error of the first address that cannot be had; nothing stays open then. */
  static async open(options: ListenOptions, accept: AcceptHandler, dropped: (peer: string) => void): Promise<Listener> {
    const listener = new Listener()
    try {
      if (options.inherited.length > 0) {
        for (const fd of options.inherited) await listener.#listen({ fd }, options, accept, dropped)
        return listener
      }
      if (options.unix !== undefined) {
        await listener.#listen(options.unix, options, accept, dropped)
        return listener
      }
      let { port } = options
      for (const { host, mayFail } of hostsOf(options.address)) {
        try {
          await listener.#listen({ ...(host === undefined ? {} : { host }), port }, options, accept, dropped)
        } catch (error) {
          if (!mayFail || !isMissingAddress(error)) throw error
        }
        port = listener.#bound[0]?.port ?? port
      }
      return listener
    } catch (error) {
      await listener.close()
      throw error
    }
  }

  /** No new connections; those that are open go on. */
  async close(): Promise<void> {
    // Not awaited until the connections end: a server counts as closed only then, and they have their own time.
    for (const server of this.#servers) server.close()
    this.#servers.length = 0
    await Promise.resolve()
  }

  async #listen(where: { fd: number } | { host?: string; port: number } | UnixPlace, options: ListenOptions, accept: AcceptHandler, dropped: (peer: string) => void): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, accept)
    if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections
    server.on('drop', (drop) => dropped(plainAddress(drop?.remoteAddress)))
    if ('path' in where) await listenOnFile(server, where, BACKLOG)
    else {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ ...where, backlog: BACKLOG }, () => {
          server.off('error', reject)
          resolve()
        })
      })
    }
    // After it listens, `error` means that one connection could not be accepted (EMFILE): the others must go on.
    server.on('error', () => dropped(''))
    this.#servers.push(server)
    const address = server.address()
    if (address !== null && typeof address === 'object') this.#bound.push({ address: plainAddress(address.address), port: address.port })
    else this.#bound.push({ address: address ?? '', port: 0 })
  }
}

function hostsOf(addresses: readonly string[] | undefined): readonly { readonly host: string | undefined; readonly mayFail: boolean }[] {
  if (addresses === undefined) return [{ host: undefined, mayFail: false }]
  return addresses.flatMap((host) =>
    host === 'localhost'
      ? [
          { host: '127.0.0.1', mayFail: false },
          { host: '::1', mayFail: true },
        ]
      : [{ host, mayFail: false }],
  )
}
function isMissingAddress(error: unknown): boolean {
  return failedWith(error, 'EADDRNOTAVAIL', 'EAFNOSUPPORT')
}
