import type * as koffiModule from 'koffi'

const IPPROTO_TCP = 6
const TCP_QUICKACK = 12
const ON = Buffer.from(Int32Array.of(1).buffer)

/** Acknowledges what was read from a TCP connection at once (tcp(7), TCP_QUICKACK); of other descriptors it does nothing. */
export type AcknowledgeNow = (fd: number) => void

/** Linux alone has it. */
export function nativeAcks(c: ReturnType<typeof koffiModule.default.load>): AcknowledgeNow {
  // koffi calls are untyped; the prototype says what it takes and returns.
  const setsockopt = c.func('int setsockopt(int, int, int, void *, uint)') as (fd: number, level: number, option: number, value: Uint8Array, octets: number) => number
  return (fd) => void setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, ON, ON.length)
}
