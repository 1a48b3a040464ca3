import { BlockList, isIP, isIPv4 } from 'node:net'
import { z } from 'zod'

/** An address or a network such as `192.0.2.0/24`. */
export function network(): z.ZodString {
  return z.string().refine((text) => parse(text) !== undefined, 'expected an IP address or a network such as "192.0.2.0/24"')
}

/** Whether an address is in one of the networks. */
export function inNetworks(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const one of networks) {
    const parsed = parse(one)
    if (parsed !== undefined) list.addSubnet(parsed.address, parsed.bits, isIPv4(parsed.address) ? 'ipv4' : 'ipv6')
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

function parse(text: string): { readonly address: string; readonly bits: number } | undefined {
  const [address = '', bits, ...more] = text.split('/')
  const kind = isIP(address)
  const most = kind === 4 ? 32 : 128
  if (kind === 0 || more.length > 0 || (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most))) return undefined
  return { address, bits: bits === undefined ? most : Number(bits) }
}

/** The network of an address, with so many bits of IPv4 or IPv6; the text itself where it is no address. */
export function networkOf(address: string, bits: { readonly ipv4: number; readonly ipv6: number }): string {
  const kind = isIP(address)
  if (kind === 0) return address
  const octets = kind === 4 ? address.split('.').map(Number) : ipv6Octets(address)
  const keep = kind === 4 ? bits.ipv4 : bits.ipv6
  const cut = octets.map((octet, i) => octet & (0xff00 >> Math.min(8, Math.max(0, keep - i * 8))) & 0xff)
  if (kind === 4) return `${cut.join('.')}/${keep}`
  const groups = Array.from({ length: 8 }, (_, i) => (((cut[i * 2] ?? 0) << 8) | (cut[i * 2 + 1] ?? 0)).toString(16))
  return `${groups.slice(0, Math.ceil(keep / 16)).join(':')}::/${keep}`
}

function ipv6Octets(address: string): number[] {
  const [bare = ''] = address.split('%')
  // An IPv4 address at the end stands for two groups.
  const text = bare.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_whole, a, b, c, d) => `${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`)
  const [head = '', tail] = text.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const before = groups(head)
  const after = groups(tail ?? '')
  const all = tail === undefined ? before : [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after]
  return all.flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
