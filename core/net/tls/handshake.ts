import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { PeerFacts } from '../../api/index.js'
import type { ReadyContext } from './contexts.js'

/** How a handshake as server is done. */
export interface HandshakeOptions {
  /** The context for a server name; `undefined` when the client names none. */
  readonly choose: (serverName: string | undefined) => Promise<ReadyContext | undefined>
  readonly timeoutMs: number
  /** The server stops: a client that has not come through the handshake has nothing to finish. */
  readonly stopping?: AbortSignal
}

type TlsFacts = NonNullable<PeerFacts['tls']>

/** Does the handshake on a clear socket that nobody reads from. On failure the socket is destroyed. */
export async function acceptTls(clear: Socket, options: HandshakeOptions): Promise<{ readonly socket: TLSSocket; readonly facts: TlsFacts }> {
  const first = await options.choose(undefined)
  if (first === undefined) throw new Error('there is no certificate for this address')
  let chosen = first
  const choose = async (serverName: string): Promise<SecureContext> => {
    chosen = (await options.choose(serverName)) ?? first
    return chosen.context
  }
  const socket = new TLSSocket(clear, {
    isServer: true,
    // Whoever has none comes in as ever; one that does not hold is as good as none.
    requestCert: first.asksClients,
    rejectUnauthorized: false,
    secureContext: first.context,
    server: first.stapling,
    SNICallback(serverName, done) {
      choose(serverName).then(
        (context) => done(null, context),
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      )
    },
  })
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      settle()
      socket.destroy()
      clear.destroy()
      reject(error)
    }
    const done = (): void => {
      settle()
      resolve()
    }
    const gone = (): void => fail(new Error('the client went away during the TLS handshake'))
    const stops = (): void => fail(new Error('the server stops'))
    // Nobody reads yet, and the end of input is told to readers alone. Octets that came behind the handshake stay where they are.
    const look = (): void => {
      if (socket.readableLength === 0) socket.read()
    }
    const timer = setTimeout(() => fail(new Error(`no TLS handshake within ${options.timeoutMs} ms`)), options.timeoutMs)
    const settle = (): void => {
      clearTimeout(timer)
      options.stopping?.removeEventListener('abort', stops)
      socket.off('readable', look)
      socket.off('secure', done)
      socket.off('_tlsError', fail)
      socket.off('end', gone)
      socket.off('close', gone)
    }
    socket.once('secure', done)
    // As a server, Node tells of a failed handshake by this event alone; a late one without a hearer must not end the process.
    socket.once('_tlsError', fail)
    // Stays: an error between here and whoever takes the socket over must not end the process either.
    socket.on('error', fail)
    socket.on('readable', look)
    socket.once('end', gone)
    socket.once('close', gone)
    if (options.stopping?.aborted === true) stops()
    else options.stopping?.addEventListener('abort', stops, { once: true })
  })
  const facts = factsOf(socket, chosen)
  // The engine is still at work, and writes the session tickets of TLS 1.3 when it has been returned to. What is said now would go before them, and
  // clients that see more octets behind a greeting and read for the next line would find none and wait (RFC 8446 leaves the order open).
  await setImmediate()
  return { socket, facts }
}

function factsOf(socket: TLSSocket, chosen: ReadyContext): TlsFacts {
  const protocol = socket.getProtocol() ?? 'unknown'
  // `servername` is false when the client named none.
  const serverName: unknown = 'servername' in socket ? socket.servername : undefined
  const endPoint = endPointOf(socket, chosen)
  const unique = protocol === 'TLSv1.2' && !socket.isSessionReused() ? socket.getPeerFinished() : undefined
  return {
    ...(typeof serverName === 'string' ? { serverName } : {}),
    protocol,
    cipher: socket.getCipher().name,
    ...clientCertificate(socket),
    bindings: {
      // RFC 9266 §4: defined for TLS 1.3; older versions only with an extension that Node does not tell about.
      ...(protocol === 'TLSv1.3' ? { 'tls-exporter': socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)) } : {}),
      ...(endPoint === undefined ? {} : { 'tls-server-end-point': endPoint }),
      ...(unique === undefined ? {} : { 'tls-unique': unique }),
    },
  }
}

/** The binding of the certificate that the client was shown; in a session that is taken up again none of several can be named. */
function endPointOf(socket: TLSSocket, { shown }: ReadyContext): Uint8Array | undefined {
  if (shown.length === 1) return shown[0]?.endPoint
  const used = socket.isSessionReused() ? undefined : socket.getX509Certificate()?.raw
  return used === undefined ? undefined : shown.find(({ der }) => used.equals(der))?.endPoint
}

/** Of a client whose certificate leads to an authority that the host asked for. */
function clientCertificate(socket: TLSSocket): { readonly clientCertificate?: Uint8Array } {
  // `authorized` is set by Node's own server alone. This is what it asks, in all versions that we support; without it nobody is trusted.
  const { _handle: handle } = socket as unknown as { readonly _handle?: { verifyError?(): Error | null } | null }
  const raw: unknown = socket.getPeerCertificate().raw
  return handle?.verifyError !== undefined && handle.verifyError() === null && raw instanceof Uint8Array ? { clientCertificate: raw } : {}
}
