import type { Socket } from 'node:net'
import { ConnectionLost } from '../api/index.js'
import type { Link } from '../api/index.js'

/**
 * Carries octets between a link and the socket of the process that serves it, each way no faster than the other end takes them, until both
 * ways have ended or one is broken. Never rejects.
 */
export async function pump(link: Link, socket: Socket): Promise<void> {
  const gone = (): void => void socket.destroy()
  socket.on('error', gone)
  link.signal.addEventListener('abort', gone, { once: true })
  try {
    await Promise.all([inward(link, socket), outward(link, socket)])
  } finally {
    link.signal.removeEventListener('abort', gone)
    socket.destroy()
  }
}

async function inward(link: Link, socket: Socket): Promise<void> {
  try {
    for (;;) {
      const chunk = await link.read()
      if (chunk === undefined) break
      // The view is the link's again with the next read, so it is with the system before.
      if (!(await written(socket, chunk))) return
    }
    socket.end()
  } catch (error) {
    socket.destroy()
    if (!(error instanceof ConnectionLost)) throw error
  }
}
/** Whether the system has taken it, after which the octets are the giver's again; false: the socket is broken. */
export function written(socket: Socket, chunk: Uint8Array): Promise<boolean> {
  if (socket.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const broken = (): void => resolve(false)
    socket.once('close', broken)
    socket.write(chunk, (error) => {
      socket.off('close', broken)
      resolve(error === undefined || error === null)
    })
  })
}

async function outward(link: Link, socket: Socket): Promise<void> {
  try {
    for await (const chunk of socket) if (!link.write(chunk as Buffer)) await link.drained()
  } catch {
    // The serving process or the client is gone; either way there is nothing more to carry.
  } finally {
    await link.close()
  }
}
