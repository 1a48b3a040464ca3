import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** Ports that the kernel gives nobody by itself, so that no client's end of a connection takes one between its choice and its use. */
const FIRST = 10_240
const LAST = 32_767
/** A port of the loopback that nobody has at this moment, and that is given to no test of any process as long as this one lives. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST + 1)
    if ((await isOurs(port)) && (await canListen(port))) return port
  }
}
/** A name apart from all files, which the kernel gives to one process at a time (unix(7), abstract sockets). Between the choice of a port and its use another test would choose it too. */
function isOurs(port: number): Promise<boolean> {
  const claim = createServer().unref()
  return new Promise((resolve) => {
    claim.once('error', () => resolve(false))
    claim.listen(`\0mailwright-test-port-${port}`, () => resolve(true))
  })
}
function canListen(port: number): Promise<boolean> {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
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
