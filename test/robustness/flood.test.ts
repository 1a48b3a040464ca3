import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RudeClient, memoryOf, peakOf } from '../support/attack.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { startServer, type RunningServer } from '../support/running-server.js'

/** The server may grow by this much over what it needs when it is idle. */
const MOST_GROWTH_KIB = 64 * 1024
const CONNECTIONS = 2000
const AT_ONCE = 200

let server: RunningServer
let pid: number
// Each kind meets a server that has served nobody else, so that no growth hides in what an earlier one has left.
beforeEach(async () => {
  server = await startServer()
  pid = server.process.pid ?? 0
  // What is loaded at the first use is no growth.
  await using client = await RudeClient.login(server.ports.imap, 'alice')
  await client.command('a', 'SELECT INBOX')
})
afterEach(() => server.remove())

interface Kind {
  readonly name: string
  readonly garbage: (random: () => number) => Uint8Array
  /** False: it never reads what the server answers. */
  readonly reads?: boolean
  readonly tls?: boolean
}
const octets = (random: () => number): Uint8Array => Uint8Array.from({ length: 10_000 + Math.floor(random() * 10_000) }, () => Math.floor(random() * 256))
const endless = Buffer.alloc(60_000, 'A')
const pipelined = Buffer.from(`a NOOP\r\nb CAPABILITY\r\nc LOGIN x\r\n\r\nd ${'X'.repeat(200)}\r\n`.repeat(100))
const literals = Buffer.from(`a LOGIN ${`{9000+}\r\n${'z'.repeat(9000)} `.repeat(18)}`)
const always: readonly Kind[] = [
  { name: 'octets of every value', garbage: octets },
  { name: 'literals of a command that never ends', garbage: () => literals },
]
const kinds: readonly Kind[] = LONG
  ? [
      ...always,
      { name: 'nothing at all', garbage: () => new Uint8Array(0) },
      { name: 'lines that never end', garbage: () => endless },
      { name: 'commands whose answers nobody reads', garbage: () => pipelined, reads: false },
      { name: 'octets where a TLS handshake is due', garbage: octets, tls: true },
    ]
  : always

describe.skipIf(process.platform !== 'linux')('2000 connections of pipelined garbage', () => {
  test.each(kinds)(
    '$name: memory grows by less than 64 MiB, and others are served',
    async ({ name, garbage, reads = true, tls = false }) => {
      const random = randomOf(seedOf(`flood of ${name}`))
      const observer = await RudeClient.login(server.ports.imap, 'bob')
      const before = (await memoryOf(pid)).pss
      const clients: RudeClient[] = []
      const flood = async (): Promise<void> => {
        for (let n = 0; n < CONNECTIONS; n += AT_ONCE) {
          const some = await Promise.all(Array.from({ length: AT_ONCE }, () => RudeClient.open(tls ? server.ports.imaps : server.ports.imap)))
          for (const client of some) {
            if (!reads) client.socket.pause()
            client.send(garbage(random))
          }
          clients.push(...some)
          expect((await observer.command(`o${n}`, 'NOOP')).at(-1)).toContain('OK')
        }
        // What will be taken has been taken when another client had its turn a few times.
        for (let turn = 0; turn < 20; turn++) {
          await observer.command(`p${turn}`, 'NOOP')
          await pause(25)
        }
      }
      const peak = await peakOf(pid, flood())
      process.stdout.write(`${name}: ${before} KiB before, ${peak} KiB at most\n`)
      await using next = await RudeClient.login(server.ports.imap, 'alice')
      expect((await next.command('s', 'SELECT INBOX')).at(-1)).toMatch(/^s OK/)
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()))
      await observer[Symbol.asyncDispose]()
      expect(peak - before).toBeLessThan(MOST_GROWTH_KIB)
      expect(server.log().split('\n').filter((line) => / error /.test(line))).toEqual([])
    },
    180_000,
  )
})
