import { readFile, stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generatedMessage, writeMailbox, type MailboxShape } from '../support/large-mailbox.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const shape: MailboxShape = { messages: LONG ? 100_000 : 5_000, medianOctets: 1024, seed: 42, hugeOctets: 30 * 1024 * 1024 }

/** Octets that the process asked the kernel for, from whatever file. */
async function octetsRead(pid: number | undefined): Promise<number> {
  return Number(/rchar: (\d+)/.exec(await readFile(`/proc/${pid}/io`, 'latin1'))?.[1])
}

describe(`a mailbox of ${shape.messages} messages`, () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
    await writeMailbox(server.inbox('alice'), shape)
  }, 300_000)
  afterAll(() => server.remove())

  test('every message is found, and its octets are those that were delivered', async () => {
    const random = randomOf(seedOf('large mailbox'))
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('SELECT INBOX')).untagged).toContain(`* ${shape.messages} EXISTS`)
    const fetched = await client.do('FETCH 1:* (UID RFC822.SIZE)')
    const sizes = new Map(fetched.untagged.map((l) => [Number(/UID (\d+)/.exec(l)?.[1]), Number(/SIZE (\d+)/.exec(l)?.[1])]))
    expect(sizes.size).toBe(shape.messages)
    const sample = [1, shape.messages, shape.messages / 2, ...Array.from({ length: 200 }, () => 1 + Math.floor(random() * shape.messages))]
    for (const n of sample) {
      const expected = Buffer.from(generatedMessage(shape, n), 'utf8').toString('latin1').replaceAll('\n', '\r\n')
      const reply = await client.do(`FETCH ${n} BODY.PEEK[]`)
      const line = reply.untagged[0] ?? ''
      const from = line.indexOf('}\r\n') + 3
      expect(line.slice(from, -1) === expected, `message ${n}`).toBe(true)
      expect(sizes.get(n), `size of message ${n}`).toBe(expected.length)
    }
    await client.logout()
  }, 600_000)

  test('SELECT after a restart does not parse the mailbox again', async () => {
    await server.stop()
    await server.again()
    const { size } = await stat(server.inbox('alice'))
    const before = await octetsRead(server.process.pid)
    const client = await RawClient.login(server.ports.imap, 'alice')
    expect((await client.do('SELECT INBOX')).untagged).toContain(`* ${shape.messages} EXISTS`)
    expect(await octetsRead(server.process.pid)).toBeLessThan(before + Math.max(size / 10, 8_000_000))
    const all = await client.do('FETCH 1:* (FLAGS UID RFC822.SIZE INTERNALDATE)')
    expect(all.untagged).toHaveLength(shape.messages)
    await client.logout()
  }, 600_000)

  test('STRUCTURE of every message can be told, whatever is in it', async () => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    await client.do('SELECT INBOX')
    const first = await client.do('FETCH 1:* (ENVELOPE BODYSTRUCTURE)')
    expect(first).toMatchObject({ status: 'OK' })
    expect(first.untagged).toHaveLength(shape.messages)
    const again = await client.do('FETCH 1:* (ENVELOPE BODYSTRUCTURE)')
    expect(again.untagged).toEqual(first.untagged)
    await client.logout()
  }, 600_000)
})
