import type { Socket } from 'node:net'
import { ConnectionLost } from '../api/index.js'
import type { PeerFacts, TransportLayerKind } from '../api/index.js'
import { plainAddress } from './addresses.js'
import { ByteLink } from './byte-link.js'
import { SocketTransport } from './socket-transport.js'
import { acceptTls } from './tls/handshake.js'
import type { ReadyContext } from './tls/contexts.js'

/** How a connection is treated from the first octet on. */
export interface SocketLinkOptions {
  readonly session: string
  /** Service name of the protocol, for PAM and Kerberos. */
  readonly service: string
  /** Name of the other end, where it was looked up. */
  readonly peerName?: string | undefined
  /** The two ends as a proxy in front saw them; without it those of the socket. */
  readonly ends?: { readonly address: string; readonly localAddress: string; readonly localPort: number }
  /** Octets that were read from the socket already, behind the header of a proxy. */
  readonly early?: Buffer
  readonly writeStallMs: number
  readonly layers: (use: string) => TransportLayerKind | undefined
  readonly stopping: AbortSignal
  /** Absent: there is never TLS on this connection. */
  readonly tls?: {
    /** STARTTLS may be offered: a certificate for the local address is ready. */
    readonly offered: boolean
    readonly timeoutMs: number
    readonly choose: (serverName: string | undefined) => Promise<ReadyContext | undefined>
  }
}

/** The link of an accepted connection; nothing has been read from the socket yet. */
export function socketLink(socket: Socket, options: SocketLinkOptions): ByteLink {
  const { tls } = options
  const clear: PeerFacts = {
    session: options.session,
    address: options.ends?.address ?? plainAddress(socket.remoteAddress),
    ...(options.peerName === undefined ? {} : { name: options.peerName }),
    localAddress: options.ends?.localAddress ?? plainAddress(socket.localAddress),
    localPort: options.ends?.localPort ?? socket.localPort ?? 0,
    service: options.service,
    ...(tls?.offered === true ? { startTls: true } : {}),
  }
  const transport = new SocketTransport(socket, {
    writeStallMs: options.writeStallMs,
    ...(options.early === undefined ? {} : { early: options.early }),
    ...(tls === undefined
      ? {}
      : {
          async secure(lower) {
            try {
              const { socket: upper, facts } = await acceptTls(lower, { ...tls, stopping: options.stopping })
              const { startTls: _, ...rest } = clear
              return { socket: upper, peer: { ...rest, tls: facts } }
            } catch (cause) {
              throw new ConnectionLost(cause instanceof Error ? cause.message : String(cause), { cause })
            }
          },
        }),
  })
  return new ByteLink(transport, clear, { layers: options.layers, stopping: options.stopping })
}
