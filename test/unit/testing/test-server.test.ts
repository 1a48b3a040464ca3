import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { startTestServer } from 'mailwright/testing'
import { expect, test } from 'vitest'

/** Sends lines, one after each tagged answer, and returns all that was answered. */
async function talk(port: number, lines: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  await once(socket, 'data')
  for (const line of lines) {
    socket.write(`${line}\r\n`)
    const tag = line.slice(0, line.indexOf(' '))
    while (!heard.includes(`\r\n${tag} `)) await once(socket, 'data')
  }
  socket.destroy()
  return heard
}

test('a server is started, serves its accounts, and leaves nothing', async () => {
  const server = await startTestServer({ users: { alice: 'wonder land' } })
  try {
    const heard = await talk(server.port, ['a LOGIN alice "wonder lamp"', 'b LOGIN alice "wonder land"', 'c SELECT INBOX', 'd LOGOUT'])
    expect(heard.split('\r\n').filter((line) => /^[abcd] /.test(line)).map((line) => line.slice(0, 4))).toEqual(['a NO', 'b OK', 'c OK', 'd OK'])
  } finally {
    await server[Symbol.asyncDispose]()
  }
  await expect(stat(server.folder)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a configuration that is wrong starts nothing', async () => {
  await expect(startTestServer({ host: { drivers: { stores: ['memroy'] } } })).rejects.toThrow('memroy')
})
