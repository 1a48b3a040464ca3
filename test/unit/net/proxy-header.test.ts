import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { inNetworks } from '../../../core/net/addresses.js'
import { ConnectionRate } from '../../../core/net/connection-rate.js'
import { parseProxyHeader, readProxyHeader } from '../../../core/net/proxy-header.js'

const v1 = (line: string): Buffer => Buffer.from(`PROXY ${line}\r\n`, 'latin1')
const v2 = (versionCommand: number, family: number, body: readonly number[], more: readonly number[] = []): Buffer =>
  Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([versionCommand, family, 0, body.length + more.length]), Buffer.from([...body, ...more])])
const ipv4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xc0, 0x01, 0x03, 0xe1]
const ipv6 = [...Buffer.from('20010db8000000000000000000000007', 'hex'), ...Buffer.from('00000000000000000000ffffc6336401', 'hex'), 0xc0, 0x01, 0x03, 0xe1]
const ends = { address: '192.0.2.7', localAddress: '198.51.100.1', localPort: 993 }

describe('the PROXY protocol', () => {
  test.each([
    { name: 'version 1, IPv4', octets: v1('TCP4 192.0.2.7 198.51.100.1 49153 993'), expected: ends },
    { name: 'version 1, IPv6', octets: v1('TCP6 2001:db8::7 ::ffff:198.51.100.1 49153 993'), expected: { ...ends, address: '2001:db8::7' } },
    { name: 'version 1, unknown', octets: v1('UNKNOWN'), expected: undefined },
    { name: 'version 1, unknown with more', octets: v1('UNKNOWN ffff::1 ffff::1 1 2'), expected: undefined },
    { name: 'version 2, IPv4', octets: v2(0x21, 0x11, ipv4), expected: ends },
    { name: 'version 2, IPv4 with further fields', octets: v2(0x21, 0x11, ipv4, [3, 0, 4, 1, 2, 3, 4]), expected: ends },
    { name: 'version 2, IPv6', octets: v2(0x21, 0x21, ipv6), expected: { ...ends, address: '2001:db8::7' } },
    { name: 'version 2, the proxy itself', octets: v2(0x20, 0, []), expected: undefined },
  ])('$name', ({ octets, expected }) => {
    expect(parseProxyHeader(Buffer.concat([octets, Buffer.from('a login')]))).toEqual({ kind: 'header', octets: octets.length, ends: expected })
    for (let cut = 0; cut < octets.length; cut++) expect(parseProxyHeader(octets.subarray(0, cut))).toEqual({ kind: 'more' })
  })
  test.each([
    { name: 'something else', octets: Buffer.from('a1 LOGIN alice secret\r\n') },
    { name: 'TLS', octets: Buffer.from([0x16, 3, 1, 0, 0]) },
    { name: 'a line without end', octets: Buffer.from(`PROXY TCP4 ${'1'.repeat(120)}`) },
    { name: 'an address of the other family', octets: v1('TCP4 2001:db8::7 198.51.100.1 1 2') },
    { name: 'an address that is none', octets: v1('TCP4 192.0.2.777 198.51.100.1 1 2') },
    { name: 'a port that is none', octets: v1('TCP4 192.0.2.7 198.51.100.1 1 99999') },
    { name: 'two spaces', octets: v1('TCP4  192.0.2.7 198.51.100.1 1 2') },
    { name: 'version 3', octets: v2(0x31, 0x11, ipv4) },
    { name: 'another command', octets: v2(0x22, 0x11, ipv4) },
    { name: 'UDP', octets: v2(0x21, 0x12, ipv4) },
    { name: 'too short for its addresses', octets: v2(0x21, 0x21, ipv4) },
    { name: 'far too long', octets: Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x21, 0x11, 0xff, 0xff])]) },
  ])('refuses $name', ({ octets }) => expect(parseProxyHeader(octets).kind).toBe('bad'))

  const accepted = async (send: (client: Socket) => void | Promise<void>, limitMs = 10_000): Promise<unknown> => {
    const server = createServer({ pauseOnConnect: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const client = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1')
    const [socket] = (await once(server, 'connection')) as [Socket]
    try {
      const reading = readProxyHeader(socket, limitMs)
      reading.catch(() => undefined)
      await send(client)
      const { ends: found, rest } = await reading
      return { ends: found, rest: rest.toString() }
    } finally {
      client.destroy()
      socket.destroy()
      server.close()
    }
  }
  test('is read from a connection in pieces, and what is behind it is given back', async () => {
    const send = async (client: Socket): Promise<void> => {
      for (const octet of v1('TCP4 192.0.2.7 198.51.100.1 49153 993')) await new Promise((resolve) => client.write(Buffer.of(octet), resolve))
      client.write('a login')
    }
    expect(await accepted(send)).toMatchObject({ ends })
    expect(await accepted((client) => void client.write(Buffer.concat([v2(0x21, 0x11, ipv4), Buffer.from('a login')])))).toEqual({ ends, rest: 'a login' })
  })
  test('a connection that says nothing, or goes, is given up', async () => {
    await expect(accepted(() => undefined, 20)).rejects.toThrow('no PROXY header within 20 ms')
    await expect(accepted((client) => void client.end('PROXY TC'))).rejects.toThrow('went away')
  })
})

test('networks of proxies', () => {
  expect(['192.0.2.7', '192.0.3.7', '2001:db8::9', '2001:db9::9', ''].map((a) => inNetworks(['192.0.2.0/24', '2001:db8::/32'], a))).toEqual([true, false, true, false, false])
})

describe('the connection rate (FAQ 7.16)', () => {
  test('one too many is closed and told once a minute, the next minute begins anew, and a flood from one address takes nothing from others', () => {
    let now = 0
    const rate = new ConnectionRate(() => now)
    const limits = { perMinute: 5, perAddressPerMinute: 2 }
    const flood = Array.from({ length: 10 }, () => rate.admit('a', limits))
    expect(flood.map((r) => r.admitted)).toEqual([true, true, ...Array.from({ length: 8 }, () => false)])
    expect(flood.flatMap((r) => r.tell ?? [])).toEqual(['more than 2 connections from one address within a minute'])
    expect(['b', 'c', 'd', 'e'].map((a) => rate.admit(a, limits).admitted)).toEqual([true, true, true, false])
    now = 60_000
    expect(rate.admit('a', limits)).toEqual({ admitted: true, tell: undefined })
    expect(Array.from({ length: 50 }, () => rate.admit('a', { perMinute: 0, perAddressPerMinute: 0 }).admitted)).not.toContain(false)
  })
})
