import { isIPv4, isIPv6 } from 'node:net'
import type { Socket } from 'node:net'
import { plainAddress } from './addresses.js'

/** The two ends of a connection as a proxy in front saw it. */
export interface ProxiedEnds {
  readonly address: string
  readonly localAddress: string
  readonly localPort: number
}
/** What the beginning of a connection says. `ends` is undefined when the proxy speaks for itself (a health check). */
export type ProxyHeader =
  | { readonly kind: 'more' }
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'header'; readonly octets: number; readonly ends: ProxiedEnds | undefined }

const MORE: ProxyHeader = { kind: 'more' }
/** The PROXY protocol, versions 1 and 2 (HAProxy, "The PROXY protocol"): 107 octets with the line end, and this mark. */
const LONGEST_V1 = 107
const MARK_V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const FIXED_V2 = 16
const LONGEST_V2 = FIXED_V2 + 4096

/** Reads the header at the beginning of `octets`; pure. */
export function parseProxyHeader(octets: Buffer): ProxyHeader {
  const asked = Math.min(octets.length, MARK_V2.length)
  if (octets.subarray(0, asked).equals(MARK_V2.subarray(0, asked))) return asked < MARK_V2.length ? MORE : parseV2(octets)
  return parseV1(octets)
}

function parseV1(octets: Buffer): ProxyHeader {
  const begin = Buffer.from('PROXY ')
  const asked = Math.min(octets.length, begin.length)
  if (!octets.subarray(0, asked).equals(begin.subarray(0, asked))) return { kind: 'bad', why: 'no PROXY header' }
  const end = octets.subarray(0, LONGEST_V1).indexOf('\r\n')
  if (end < 0) return octets.length >= LONGEST_V1 ? { kind: 'bad', why: 'a PROXY line without end' } : MORE
  const line = octets.subarray(0, end).toString('latin1')
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { kind: 'header', octets: end + 2, ends: undefined }
  const [, family, source = '', destination = '', , port = ''] = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line) ?? []
  const isAddress = family === '4' ? isIPv4 : isIPv6
  if (family === undefined || !isAddress(source) || !isAddress(destination) || Number(port) > 65_535) return { kind: 'bad', why: 'a PROXY line that is none' }
  return { kind: 'header', octets: end + 2, ends: { address: plainAddress(source), localAddress: plainAddress(destination), localPort: Number(port) } }
}

function parseV2(octets: Buffer): ProxyHeader {
  if (octets.length < FIXED_V2) return MORE
  const version = octets.readUInt8(12)
  const family = octets.readUInt8(13)
  const length = FIXED_V2 + octets.readUInt16BE(14)
  if (version >> 4 !== 2 || (version & 15) > 1) return { kind: 'bad', why: 'a PROXY header of another version' }
  if (length > LONGEST_V2) return { kind: 'bad', why: 'a PROXY header that is too long' }
  if (octets.length < length) return MORE
  // LOCAL: the proxy itself.
  if ((version & 15) === 0) return { kind: 'header', octets: length, ends: undefined }
  const size = family === 0x11 ? 4 : family === 0x21 ? 16 : undefined
  if (size === undefined || length < FIXED_V2 + size * 2 + 4) return { kind: 'bad', why: 'a PROXY header of no TCP connection' }
  const at = (from: number): string => plainAddress(size === 4 ? octets.subarray(from, from + 4).join('.') : ipv6(octets.subarray(from, from + 16)))
  return { kind: 'header', octets: length, ends: { address: at(FIXED_V2), localAddress: at(FIXED_V2 + size), localPort: octets.readUInt16BE(FIXED_V2 + size * 2 + 2) } }
}

/** As Node writes addresses, mapped ones included. */
function ipv6(octets: Buffer): string {
  if (octets.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex'))) return octets.subarray(12).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(i * 2).toString(16)).join(':')
  return new URL(`http://[${groups}]/`).hostname.slice(1, -1)
}

/**
 * Waits for the header on an accepted socket. What came behind it is given back, to be read first.
 * @throws when it is none, does not come in time, or the other end goes.
 */
export async function readProxyHeader(socket: Socket, limitMs: number): Promise<{ readonly ends: ProxiedEnds | undefined; readonly rest: Buffer }> {
  return await new Promise((resolve, reject) => {
    let heard = Buffer.alloc(0)
    const settle = (): void => {
      clearTimeout(timer)
      socket.off('data', hear)
      socket.off('end', gone)
      socket.off('close', gone)
      socket.pause()
    }
    const fail = (why: string): void => {
      settle()
      reject(new Error(why))
    }
    const gone = (): void => fail('the proxy went away before its header')
    const hear = (chunk: Buffer): void => {
      heard = Buffer.concat([heard, chunk])
      const header = parseProxyHeader(heard)
      if (header.kind === 'bad') fail(header.why)
      else if (header.kind === 'header') {
        settle()
        resolve({ ends: header.ends, rest: heard.subarray(header.octets) })
      }
    }
    const timer = setTimeout(() => fail(`no PROXY header within ${limitMs} ms`), limitMs)
    socket.on('data', hear)
    socket.once('end', gone)
    socket.once('close', gone)
    socket.resume()
  })
}
