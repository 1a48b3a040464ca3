import { BlockList, isIP, isIPv4 } from 'node:net'

/** Numeric text of an address; an IPv4 address that came over an IPv6 socket is written as IPv4. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}

/** Whether an address is in one of the networks (`192.0.2.0/24`, `2001:db8::1`). */
export function inNetworks(networks: readonly string[], address: string): boolean {
  if (isIP(address) === 0) return false
  const list = new BlockList()
  for (const one of networks) {
    const [base = '', bits] = one.split('/')
    list.addSubnet(base, bits === undefined ? (isIPv4(base) ? 32 : 128) : Number(bits), isIPv4(base) ? 'ipv4' : 'ipv6')
  }
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** `address:port`, with brackets where the address has colons; a socket file is `unix:path`. */
export function addressWithPort(address: string, port: number): string {
  if (address.startsWith('/')) return `unix:${address}`
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
