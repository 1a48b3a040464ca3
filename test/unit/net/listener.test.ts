import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { addressWithPort, plainAddress } from '../../../core/net/addresses.js'
import { Listener } from '../../../core/net/listener.js'
import { run } from '../../support/programs.js'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})
const anywhere = { address: ['127.0.0.1'], port: 0, inherited: [], maxConnections: undefined } as const

test('addresses are written as IPv4 where they are IPv4', () => {
  expect(['::ffff:192.0.2.1', '192.0.2.1', '2001:db8::1', undefined].map(plainAddress)).toEqual(['192.0.2.1', '192.0.2.1', '2001:db8::1', ''])
  expect([addressWithPort('::1', 143), addressWithPort('127.0.0.1', 143), addressWithPort('/run/x', 0)]).toEqual(['[::1]:143', '127.0.0.1:143', 'unix:/run/x'])
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

test('a socket file has its mode, is replaced when nobody is behind it, and goes with its listener; what somebody has is left alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-listener-'))
  const unix = { path: join(folder, 'socket'), mode: 0o640, uid: undefined, gid: undefined }
  const at = (path: string): Promise<Listener> => Listener.open({ ...anywhere, unix: { ...unix, path } }, (socket) => void socket.end('hello'), () => undefined)
  try {
    const first = await at(unix.path)
    open.push(first)
    expect(first.bound).toEqual([{ address: unix.path, port: 0 }])
    expect((await stat(unix.path)).mode & 0o777).toBe(0o640)
    const [said] = await once(connect(unix.path), 'data') as [Buffer]
    expect(said.toString()).toBe('hello')
    await expect(at(unix.path)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await once(connect(unix.path), 'data')
    await first.close()
    await expect(stat(unix.path)).rejects.toThrow('ENOENT')
    // As a killed process leaves it.
    await run(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(unix.path)}, () => process.kill(process.pid, 'SIGKILL'))`], { limitMs: 30_000 })
    expect((await stat(unix.path)).isSocket()).toBe(true)
    open.push(await at(unix.path))
    await once(connect(unix.path), 'data')
    const file = join(folder, 'mail')
    await writeFile(file, 'mail')
    await expect(at(file)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect((await stat(file)).size).toBe(4)
    await expect(at(join(folder, 'nowhere/socket'))).rejects.toMatchObject({ code: 'ENOENT' })
  } finally {
    for (const each of open.splice(0)) await each.close()
    await rm(folder, { recursive: true, force: true })
  }
})
