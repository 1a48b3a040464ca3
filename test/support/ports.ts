import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** The machine gives a port that was just let go to the next who asks, too. */
const given = new Set<number>()
/** A port of the loopback that nobody has at this moment, and that was given to nobody here before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const probe = createServer()
    probe.listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const address = probe.address()
    probe.close()
    await once(probe, 'close')
    if (address === null || typeof address === 'string') throw new Error('no port')
    if (given.has(address.port)) continue
    given.add(address.port)
    return address.port
  }
}
/** Whether somebody takes connections there. */
export async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
