import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { ConnectionLost } from '../../../core/api/index.js'
import { nativeLocks } from '../../../core/os/native-locks.js'
import { loopback, readText, receive, upgrade } from './sockets.js'

const native = await nativeLocks()
const open: { close(): Promise<void> }[] = []
async function server(options: Parameters<typeof loopback>[0] = {}): ReturnType<typeof loopback> {
  const made = await loopback(options)
  open.push(made)
  return made
}
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

describe('a link over TCP', () => {
  test('knows its peer and carries octets both ways', async () => {
    const at = await server()
    const client = await at.connect()
    const link = await at.next()
    expect(link.peer).toEqual({ session: 's', address: '127.0.0.1', localAddress: '127.0.0.1', localPort: at.port, service: 'imap' })
    client.write('a NOOP\r\n')
    expect(await readText(link)).toBe('a NOOP\r\n')
    link.write(Buffer.from('a OK\r\n'))
    expect(await receive(client, (t) => t.endsWith('\n'))).toBe('a OK\r\n')
  })

  // Linux alone can be told, through an optional dependency, and shows what is under way in /proc.
  test.skipIf(native?.acknowledgeNow === undefined)('what was read is acknowledged at once where that is asked for', async () => {
    const at = await server()
    const client = await at.connect()
    const link = await at.next()
    // A connection that asks and answers, where acknowledgements mostly go with the answer.
    for (let n = 0; n < 20; n++) {
      client.write('a NOOP\r\n')
      expect(await readText(link)).toBe('a NOOP\r\n')
      link.write(Buffer.from('a OK\r\n'))
      expect(await receive(client, (t) => t.endsWith('\n'))).toBe('a OK\r\n')
    }
    const inFlight = async (): Promise<number | undefined> => {
      const port = (client.localPort ?? 0).toString(16).toUpperCase().padStart(4, '0')
      const line = (await readFile('/proc/net/tcp', 'latin1')).split('\n').find((one) => one.trim().split(/\s+/)[1] === `0100007F:${port}`)
      return line === undefined ? undefined : Number.parseInt(line.trim().split(/\s+/)[4]?.split(':')[0] ?? '', 16)
    }
    client.write('literal')
    expect(await readText(link)).toBe('literal')
    link.acknowledge()
    await nativeLocks()
    expect(await inFlight()).toBe(0)
  })

  test('what is written in one turn arrives whole and in order', async () => {
    const at = await server()
    const client = await at.connect()
    const link = await at.next()
    let sent = ''
    for (let i = 0; i < 300; i++) {
      const line = `* ${i} FETCH (FLAGS ())\r\n`
      sent += line
      link.write(Buffer.from(line))
    }
    await Promise.resolve()
    link.write(Buffer.from('a OK\r\n'))
    sent += 'a OK\r\n'
    expect(await receive(client, (t) => t.endsWith('a OK\r\n'))).toBe(sent)
  })

  test('the end of input is told, and replies still go out', async () => {
    const at = await server()
    const client = await at.connect()
    const link = await at.next()
    client.end('a LOGOUT\r\n')
    expect(await readText(link)).toBe('a LOGOUT\r\n')
    expect(await readText(link)).toBeUndefined()
    expect(link.signal.aborted).toBe(false)
    link.write(Buffer.from('* BYE\r\n'))
    const heard = receive(client, () => false)
    await link.close()
    expect(await heard).toBe('* BYE\r\n')
  })

  test('a reset ends every wait and the signal', async () => {
    const at = await server()
    const client = await at.connect()
    const link = await at.next()
    const reading = link.read()
    client.resetAndDestroy()
    await expect(reading).rejects.toThrow(ConnectionLost)
    expect(link.signal.aborted).toBe(true)
    await expect(link.drained()).rejects.toThrow(ConnectionLost)
    expect(link.write(Buffer.from('x'))).toBe(false)
  })

  test('a client that does not read holds the writer back, and one that reads again lets it go on', async () => {
    const at = await server()
    const client = await at.connect()
    client.pause()
    const link = await at.next()
    const chunk = Buffer.alloc(64 * 1024, 'x')
    let sent = 0
    while (link.write(chunk) || sent < 1024 * 1024) {
      sent += chunk.length
      // A turn, so that what was written really goes to the system.
      await new Promise((resolve) => setImmediate(resolve))
      if (sent > 64 * 1024 * 1024) throw new Error('nothing holds the writer back')
    }
    sent += chunk.length
    let heard = 0
    client.on('data', (d: Buffer) => {
      heard += d.length
    })
    client.resume()
    await link.drained()
    const ended = new Promise((resolve) => client.once('end', resolve))
    void link.close()
    await ended
    expect(heard).toBe(sent)
    client.end()
  })

  test('nothing is read ahead of a consumer that does not ask', async () => {
    const at = await server()
    const client = await at.connect()
    const link = await at.next()
    const flood = Buffer.alloc(64 * 1024 * 1024, 'x\r\n')
    let flushed = false
    client.write(flood, () => {
      flushed = true
    })
    await link.read()
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(flushed).toBe(false)
    let octets = 16 * 1024
    for (let chunk = await link.read(); chunk !== undefined && octets < 4 * 1024 * 1024; chunk = await link.read()) {
      expect(chunk.length).toBeLessThanOrEqual(16 * 1024)
      octets += chunk.length
    }
  })

  test('senders that flood before the login cost one small chunk each', async () => {
    const at = await server()
    const count = 200
    const flood = Buffer.alloc(256 * 1024, 'x\r\n')
    const before = process.memoryUsage().arrayBuffers
    const links = []
    for (let i = 0; i < count; i++) {
      const client = await at.connect()
      client.write(flood)
      const link = await at.next()
      links.push(link)
      await link.read()
    }
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(count * 20 * 1024)
  })

  test('a client that takes nothing at all is given up', async () => {
    const at = await server({ writeStallMs: 20 })
    const client = await at.connect()
    client.pause()
    const link = await at.next()
    const chunk = Buffer.alloc(256 * 1024, 'x')
    await expect(
      (async () => {
        for (;;) if (!link.write(chunk)) await link.drained()
      })(),
    ).rejects.toThrow('the client stopped reading')
  })
})

describe('TLS on a link', () => {
  test('STARTTLS keeps the session and tells its facts', async () => {
    const at = await server({ tls: true })
    const client = await at.connect()
    const link = await at.next()
    expect(link.peer.startTls).toBe(true)
    client.write('a STARTTLS\r\n')
    expect(await readText(link)).toBe('a STARTTLS\r\n')
    const answered = receive(client, (t) => t.endsWith('\n'))
    link.write(Buffer.from('a OK\r\n'))
    const wrapped = link.wrap({ use: 'tls' })
    expect(await answered).toBe('a OK\r\n')
    const secure = await upgrade(client, 'mail.example.org')
    await wrapped
    expect(link.peer.tls).toMatchObject({ serverName: 'mail.example.org', protocol: 'TLSv1.3' })
    expect(link.peer.startTls).toBeUndefined()
    const exported = secure.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    expect(link.peer.tls?.bindings['tls-exporter']).toEqual(exported)
    expect(link.peer.tls?.bindings['tls-server-end-point']).toHaveLength(32)
    secure.write('b NOOP\r\n')
    expect(await readText(link)).toBe('b NOOP\r\n')
    link.write(Buffer.from('b OK\r\n'))
    expect(await receive(secure, (t) => t.endsWith('\n'))).toBe('b OK\r\n')
    secure.end()
    expect(await readText(link)).toBeUndefined()
    await link.close()
  })

  test('what is said at once comes behind the session tickets: who looks for octets and reads a line would wait for ever', async () => {
    const at = await server({ tls: true })
    const client = await at.connect()
    const link = await at.next()
    const said = link.wrap({ use: 'tls' }).then(() => link.write(Buffer.from('* OK\r\n')))
    const secure = await upgrade(client, 'localhost')
    const order: string[] = []
    secure.on('session', () => order.push('ticket'))
    await new Promise<void>((resolve) => secure.once('data', () => {
      order.push('greeting')
      resolve()
    }))
    expect(order).toEqual(['ticket', 'ticket', 'greeting'])
    await said
  })

  test('a command that was slipped in before the handshake is never read (RFC 3501 §11.1)', async () => {
    const at = await server({ tls: true })
    const client = await at.connect()
    const link = await at.next()
    client.write('a STARTTLS\r\n')
    expect(await readText(link)).toBe('a STARTTLS\r\n')
    client.write('b DELETE x\r\n')
    // The injected line has reached the server's end before the layer is asked for.
    await new Promise((resolve) => setTimeout(resolve, 20))
    link.write(Buffer.from('a OK\r\n'))
    await expect(link.wrap({ use: 'tls' })).rejects.toThrow(ConnectionLost)
    expect(link.signal.aborted).toBe(true)
    await expect(link.read()).rejects.toThrow(ConnectionLost)
  })

  test('clear text instead of a handshake ends the link', async () => {
    const at = await server({ tls: true })
    const client = await at.connect()
    const link = await at.next()
    const wrapped = link.wrap({ use: 'tls' })
    client.write('b DELETE x\r\nc LOGOUT\r\n')
    await expect(wrapped).rejects.toThrow(ConnectionLost)
    await expect(link.read()).rejects.toThrow(ConnectionLost)
  })

  test('records hold no more than 8192 octets', async () => {
    const at = await server({ tls: true })
    const client = await at.connect()
    const link = await at.next()
    const lengths: number[] = []
    let raw = Buffer.alloc(0)
    client.on('data', (d: Buffer) => {
      raw = Buffer.concat([raw, d])
    })
    const wrapped = link.wrap({ use: 'tls' })
    const secure = await upgrade(client, 'localhost')
    await wrapped
    raw = Buffer.alloc(0)
    const body = Buffer.alloc(100_000, 'x')
    link.write(body)
    let heard = 0
    await new Promise<void>((resolve) => {
      secure.on('data', (d: Buffer) => {
        heard += d.length
        lengths.push(d.length)
        if (heard === body.length) resolve()
      })
    })
    expect(Math.max(...lengths)).toBeLessThanOrEqual(8192)
  })

  test('a listener without TLS refuses the layer', async () => {
    const at = await server()
    const client = await at.connect()
    const link = await at.next()
    client.write('x')
    await link.read()
    await expect(link.wrap({ use: 'tls' })).rejects.toThrow(ConnectionLost)
  })
})
