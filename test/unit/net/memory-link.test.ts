import { describe, expect, test } from 'vitest'
import { ConnectionLost } from '../../../core/api/index.js'
import type { TransportLayer } from '../../../core/api/index.js'
import { memoryLinkPair } from '../../support/memory-link.js'
import { readText } from './sockets.js'

/** Adds `key` to each octet on the way out and takes it off on the way in. */
function shift(key: number): TransportLayer {
  return {
    inbound: (chunk, emit) => emit(chunk.map((b) => b - key)),
    outbound: (chunk, emit) => emit(chunk.map((b) => b + key)),
    flush: () => undefined,
    close: () => undefined,
  }
}

describe('a pair of links in memory', () => {
  test('carries octets both ways, one chunk per turn', async () => {
    const { server, client } = memoryLinkPair()
    server.write(Buffer.from('* OK '))
    server.write(Buffer.from('ready\r\n'))
    expect(await readText(client)).toBe('* OK ready\r\n')
    client.write(Buffer.from('a NOOP\r\n'))
    expect(await readText(server)).toBe('a NOOP\r\n')
  })
  test('close is the end of input for the other end', async () => {
    const { server, client } = memoryLinkPair()
    client.write(Buffer.from('last'))
    await client.close()
    expect(await readText(server)).toBe('last')
    expect(await readText(server)).toBeUndefined()
  })
  test('holds a writer back until the other end reads', async () => {
    const { server, client } = memoryLinkPair()
    for (let i = 0; i < 4; i++) server.write(Buffer.alloc(32 * 1024))
    let drained = false
    const wait = server.drained().then(() => {
      drained = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(drained).toBe(false)
    let octets = 0
    while (octets < 128 * 1024) octets += (await client.read())?.length ?? 0
    await wait
    expect(octets).toBe(128 * 1024)
  })
  test('layers are put over one another and undone in order', async () => {
    const { server, client } = memoryLinkPair({ layers: (use) => ({ open: (state) => shift(use === 'shift' ? (state[0] ?? 0) : 0) }) })
    for (const link of [server, client]) {
      await link.wrap({ use: 'shift', state: Buffer.from([1]) })
      await link.wrap({ use: 'shift', state: Buffer.from([2]) })
    }
    server.write(Buffer.from('abc'))
    expect(await readText(client)).toBe('abc')
    client.write(Buffer.from('xyz'))
    expect(await readText(server)).toBe('xyz')
  })
  test('an unread octet before a layer ends the link', async () => {
    const { server, client } = memoryLinkPair({ tls: { protocol: 'TLSv1.3', cipher: 'x', bindings: {} } })
    client.write(Buffer.from('a STARTTLS\r\n'))
    expect(await readText(server)).toBe('a STARTTLS\r\n')
    client.write(Buffer.from('b LOGIN\r\n'))
    await new Promise((resolve) => setImmediate(resolve))
    await expect(server.wrap({ use: 'tls' })).rejects.toThrow(ConnectionLost)
    await expect(server.read()).rejects.toThrow(ConnectionLost)
  })
  test('an unknown layer ends the link', async () => {
    const { server } = memoryLinkPair()
    await expect(server.wrap({ use: 'rot13', state: Buffer.alloc(0) })).rejects.toThrow('no transport layer "rot13"')
  })
  test.each([
    { name: 'outbound', broken: { outbound: () => { throw new Error('no context') } } },
    { name: 'flush', broken: { flush: () => { throw new Error('no context') } } },
  ])('a layer that fails ($name) ends the link, and nothing leaves without it', async ({ broken }) => {
    const { server, client } = memoryLinkPair({ layers: () => ({ open: () => ({ ...shift(1), ...broken }) }) })
    await server.wrap({ use: 'shift', state: Buffer.alloc(0) })
    server.write(Buffer.from('secret'))
    await expect(server.read()).rejects.toThrow('the transport layer failed')
    expect(await client.read().catch(() => undefined)).toBeUndefined()
  })
  test('a layer that cannot be opened ends the link', async () => {
    const { server } = memoryLinkPair({ layers: () => ({ open: () => { throw new Error('bad state') } }) })
    await expect(server.wrap({ use: 'shift', state: Buffer.alloc(0) })).rejects.toThrow('the transport layer "shift" cannot be opened')
    await expect(server.read()).rejects.toThrow(ConnectionLost)
  })
  test('abort rejects a waiting read and aborts the signal', async () => {
    const { server } = memoryLinkPair()
    const reading = server.read()
    server.abort('the server stops')
    await expect(reading).rejects.toThrow('the server stops')
    expect(server.signal.aborted).toBe(true)
  })
})
