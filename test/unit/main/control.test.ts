import { access, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { askServer, ControlSocket } from '../../../core/main/control.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwright-run-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('a request is answered, by an answer of several lines too', async () => {
  await using socket = await ControlSocket.open(join(folder, 'run'), (request) => Promise.resolve({ ok: request === 'reload', text: 'one\ntwo' }))
  expect(socket).toBeDefined()
  expect(await askServer(join(folder, 'run'), 'reload')).toEqual({ ok: true, text: 'one\ntwo' })
  expect(await askServer(join(folder, 'run'), 'status')).toEqual({ ok: false, text: 'one\ntwo' })
  expect((await stat(join(folder, 'run', 'control.sock'))).mode & 0o777).toBe(0o600)
})
test('a second server does not take the socket away, a dead one leaves it to the next', async () => {
  const first = await ControlSocket.open(folder, () => Promise.resolve({ ok: true, text: 'first' }))
  await expect(ControlSocket.open(folder, () => Promise.resolve({ ok: true, text: 'second' }))).rejects.toThrow('another server is running')
  expect((await askServer(folder, 'status')).text).toBe('first')
  await first[Symbol.asyncDispose]()
  await expect(access(join(folder, 'mailwright.pid'))).rejects.toThrow('ENOENT')
  await using second = await ControlSocket.open(folder, () => Promise.resolve({ ok: true, text: 'second' }))
  expect(second).toBeDefined()
  expect((await askServer(folder, 'status')).text).toBe('second')
})
test('without a server the question fails', async () => {
  await expect(askServer(folder, 'status')).rejects.toThrow('ENOENT')
})
