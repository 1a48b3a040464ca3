import { closeSync } from 'node:fs'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000
const FAMILY_OCTETS = 2
const LONGEST_PATH = 107

/**
 * Sends one datagram to a unix socket, such as the service manager's (sd_notify(3)). A name that begins with `@` is an abstract one.
 * False where native calls are not to be had or nobody listens.
 */
export async function sendDatagram(path: string, message: Uint8Array): Promise<boolean> {
  const name = Buffer.from(path)
  if (process.platform !== 'linux' || name.length > LONGEST_PATH) return false
  const { default: koffi } = await import('koffi')
  const c = koffi.load(null)
  // koffi calls are untyped; the prototypes beside them say what they take and return.
  const socket = c.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number
  const sendto = c.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)') as (...args: [number, Uint8Array, number, number, Uint8Array, number]) => number
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) return false
  try {
    if (name[0] === 0x40) name[0] = 0
    const address = Buffer.alloc(FAMILY_OCTETS + name.length + (name[0] === 0 ? 0 : 1))
    address.writeUInt16LE(AF_UNIX, 0)
    name.copy(address, FAMILY_OCTETS)
    return sendto(fd, message, message.length, MSG_NOSIGNAL, address, address.length) === message.length
  } finally {
    closeSync(fd)
  }
}
