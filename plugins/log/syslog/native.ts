import { closeSync } from 'node:fs'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL_DONTWAIT = 0x4040
const FAMILY_OCTETS = 2

/** A datagram socket to a path. Node has none of its own. */
export interface DatagramSocket {
  /** False when nobody listens or the listener does not keep up. Never waits. */
  send(message: Uint8Array): boolean
  close(): void
}

/** @throws when koffi, an optional dependency, is not installed, and on other systems than Linux. */
export async function openDatagramSocket(path: string): Promise<DatagramSocket> {
  if (process.platform !== 'linux') throw new Error('syslog is reached on Linux only')
  const { default: koffi } = await import('koffi')
  const c = koffi.load(null)
  // koffi calls are untyped; the prototypes beside them say what they take and return.
  const socket = c.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number
  const sendto = c.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)') as (...args: [number, Uint8Array, number, number, Uint8Array, number]) => number
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) throw new Error(`no socket can be made (errno ${koffi.errno()})`)
  const name = Buffer.from(path)
  const address = Buffer.alloc(FAMILY_OCTETS + name.length + 1)
  address.writeUInt16LE(AF_UNIX, 0)
  name.copy(address, FAMILY_OCTETS)
  let open = true
  return {
    // Unconnected on purpose: a syslog daemon that was started anew is found again by its path.
    send: (message) => open && sendto(fd, message, message.length, MSG_NOSIGNAL_DONTWAIT, address, address.length) === message.length,
    close() {
      if (open) closeSync(fd)
      open = false
    },
  }
}
