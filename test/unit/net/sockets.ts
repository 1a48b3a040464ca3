import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { secret } from '../../../core/api/index.js'
import type { ByteLink } from '../../../core/net/byte-link.js'
import { Listener } from '../../../core/net/listener.js'
import { socketLink } from '../../../core/net/socket-link.js'
import { TlsContexts } from '../../../core/net/tls/contexts.js'
import { makeSelfSigned } from '../../../core/net/tls/self-signed.js'

let made: ReturnType<typeof makeSelfSigned> | undefined

/** One certificate for all tests of a file. */
export function testCertificate(): ReturnType<typeof makeSelfSigned> {
  made ??= makeSelfSigned(['localhost', 'mail.example.org', '127.0.0.1', '::1'], new Date())
  return made
}

export interface LoopbackOptions {
  readonly tls?: boolean
  readonly writeStallMs?: number
}

/** A listener on loopback; each connection's link is handed out in order of arrival. */
export async function loopback(options: LoopbackOptions = {}): Promise<{ readonly port: number; next(): Promise<ByteLink>; connect(): Promise<Socket>; close(): Promise<void> }> {
  const links: ByteLink[] = []
  const all: ByteLink[] = []
  const clients: Socket[] = []
  const waiting: ((link: ByteLink) => void)[] = []
  let tls: Parameters<typeof socketLink>[1]['tls']
  if (options.tls === true) {
    const { certificate, key } = await testCertificate()
    const contexts = new TlsContexts({ sources: [{ find: () => Promise.resolve({ chain: certificate, key: secret(Buffer.from(key)) }) }], minVersion: 'TLSv1.2' })
    const found = await contexts.find(undefined, '127.0.0.1')
    tls = { offered: true, timeoutMs: 10_000, choose: () => Promise.resolve(found) }
  }
  const listener = await Listener.open(
    { address: ['127.0.0.1'], port: 0, inherited: [], maxConnections: undefined },
    (socket) => {
      const link = socketLink(socket, { session: 's', service: 'imap', writeStallMs: options.writeStallMs ?? 0, layers: () => undefined, stopping: new AbortController().signal, ...(tls === undefined ? {} : { tls }) })
      all.push(link)
      const wanted = waiting.shift()
      if (wanted === undefined) links.push(link)
      else wanted(link)
    },
    () => undefined,
  )
  const port = listener.bound[0]?.port ?? 0
  return {
    port,
    next() {
      const link = links.shift()
      return link === undefined ? new Promise((resolve) => void waiting.push(resolve)) : Promise.resolve(link)
    },
    async connect() {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      clients.push(socket)
      socket.on('error', () => undefined)
      await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
      return socket
    },
    async close() {
      for (const client of clients) client.destroy()
      for (const link of all) link.abort('end of the test')
      await listener.close()
    },
  }
}

/** TLS as a client over an open connection. */
export async function upgrade(socket: Socket, serverName: string): Promise<TLSSocket> {
  const { certificate } = await testCertificate()
  const upper = connectTls({ socket, servername: serverName, ca: certificate })
  await new Promise<void>((resolve, reject) => {
    upper.once('secureConnect', resolve)
    upper.once('error', reject)
  })
  return upper
}

/** Octets from a socket as text, until `enough` says so. */
export function receive(socket: Socket, enough: (text: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const hear = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      if (enough(text)) done()
    }
    const done = (): void => {
      socket.off('data', hear)
      socket.off('end', done)
      socket.off('close', done)
      socket.pause()
      resolve(text)
    }
    socket.on('data', hear)
    socket.once('end', done)
    socket.once('close', done)
    socket.resume()
  })
}

/** The next chunk of a link as text; undefined at the end. */
export async function readText(link: { read(): Promise<Uint8Array | undefined> }): Promise<string | undefined> {
  const chunk = await link.read()
  return chunk === undefined ? undefined : Buffer.from(chunk).toString('latin1')
}
