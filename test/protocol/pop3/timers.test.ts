import { expect, test } from 'vitest'
import { settle } from '../../support/imap-client.js'
import { Pop3Fixture } from '../../support/pop3.js'

test('whoever does not log in within 3 minutes is told Autologout, however busy', async () => {
  await using server = await Pop3Fixture.make()
  const client = server.connect()
  await client.line()
  server.clock.advance(170_000)
  await client.send('USER alice\r\n')
  expect(await client.line()).toBe('+OK User name accepted, password please')
  await settle()
  server.clock.advance(10_001)
  expect(await client.line()).toBe('-ERR Autologout')
  expect(await client.line()).toBeUndefined()
  expect(server.logged).toEqual(['info Autologout user=??? host=[127.0.0.1] session=s1'])
})

test('the same within a SASL exchange', async () => {
  await using server = await Pop3Fixture.make()
  const client = server.connect()
  await client.line()
  await client.send('AUTH PLAIN\r\n')
  expect(await client.line()).toBe('+ ')
  await settle()
  server.clock.advance(180_001)
  expect(await client.line()).toBe('-ERR Autologout')
  expect(await client.line()).toBeUndefined()
})

test('whoever is logged in and says nothing for 10 minutes is told so; every command counts (RFC 1939 §3)', async () => {
  await using server = await Pop3Fixture.make()
  const client = await server.session()
  for (let i = 0; i < 3; i++) {
    await settle()
    server.clock.advance(599_000)
    await client.send('NOOP\r\n')
    expect(await client.line()).toBe('+OK No-op to you too!')
  }
  await settle()
  server.clock.advance(600_001)
  expect(await client.line()).toBe('-ERR Autologout; idle for too long')
  expect(await client.line()).toBeUndefined()
  expect(server.logged.at(-1)).toBe('info Autologout user=alice host=[127.0.0.1] session=s1')
})

const ends = [
  { name: 'before the login', say: '', line: 'Command stream end of file, while reading line user=??? host=[127.0.0.1] session=s1' },
  { name: 'within an exchange', say: 'AUTH PLAIN\r\n', line: 'Command stream end of file, while reading authentication user=??? host=[127.0.0.1] session=s1' },
  { name: 'within a line', say: 'USER al', line: 'Command stream end of file, while reading line user=??? host=[127.0.0.1] session=s1' },
]
test.each(ends)('a client that goes $name is one line of the log', async ({ say, line }) => {
  await using server = await Pop3Fixture.make()
  const client = server.connect()
  await client.line()
  if (say !== '') await client.send(say)
  await client.unread()
  await client.end()
  await settle()
  expect(server.logged).toEqual([`info ${line}`])
})

test('a server that stops says so between commands', async () => {
  await using server = await Pop3Fixture.make()
  const client = await server.session()
  server.stop()
  expect(await client.line()).toBe('-ERR Server shutting down')
  expect(await client.line()).toBeUndefined()
  expect(server.logged.at(-1)).toBe('info Killed user=alice host=[127.0.0.1] session=s1')
})
