import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { addressWithPort, plainAddress } from '../../../core/net/addresses.js'
import { Listener } from '../../../core/net/listener.js'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})
const anywhere = { address: ['127.0.0.1'], port: 0, inherited: [], maxConnections: undefined } as const

test('addresses are written as IPv4 where they are IPv4', () => {
  expect(['::ffff:192.0.2.1', '192.0.2.1', '2001:db8::1', undefined].map(plainAddress)).toEqual(['192.0.2.1', '192.0.2.1', '2001:db8::1', ''])
  expect([addressWithPort('::1', 143), addressWithPort('127.0.0.1', 143)]).toEqual(['[::1]:143', '127.0.0.1:143'])
})

test('localhost has one port on all its addresses', async () => {
  const listener = await Listener.open({ ...anywhere, address: ['localhost'] }, (s) => s.destroy(), () => undefined)
  open.push(listener)
  expect(listener.bound[0]?.address).toBe('127.0.0.1')
  expect(new Set(listener.bound.map((b) => b.port)).size).toBe(1)
})

test('a port that is taken is an error, and nothing stays open', async () => {
  const first = await Listener.open(anywhere, (s) => s.destroy(), () => undefined)
  open.push(first)
  const port = first.bound[0]?.port ?? 0
  await expect(Listener.open({ ...anywhere, port }, (s) => s.destroy(), () => undefined)).rejects.toThrow('EADDRINUSE')
})

test('connections beyond the limit are closed and told, those before go on', async () => {
  const accepted: Socket[] = []
  const dropped: string[] = []
  const listener = await Listener.open({ ...anywhere, maxConnections: 1 }, (s) => void accepted.push(s), (peer) => void dropped.push(peer))
  open.push(listener)
  const port = listener.bound[0]?.port ?? 0
  const first = connect(port, '127.0.0.1')
  await once(first, 'connect')
  const second = connect(port, '127.0.0.1')
  second.on('error', () => undefined)
  await once(second, 'close')
  expect(accepted).toHaveLength(1)
  expect(dropped).toEqual(['127.0.0.1'])
  first.destroy()
  for (const socket of accepted) socket.destroy()
})
