import { deepEqual, equal } from 'node:assert/strict'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer } from '../support/running-server.js'

const LONG = process.env['MAILWRIGHT_LONG'] === '1'
const DRIVERS = 'drivers: { use: [ mix, mx, mbx, { use: mh, path: Mail }, mmdf, unix, dummy ], create: unix, empty: unix }'
const NAMES = "[ { use: mailboxfile, inboxPath: '{home}/INBOX' }, prefixes ]"
/** Where sessions of several processes are in a mailbox, and how it is made. */
const formats = [
  { name: 'mbx', box: 'box', make: '#driver.mbx/box' },
  { name: 'mix', box: 'box', make: '#driver.mix/box' },
  { name: 'mx', box: 'box', make: '#driver.mx/box' },
  { name: 'mh', box: '#mh/box', make: '#mh/box' },
  { name: 'unix', box: 'box', make: 'box' },
  { name: 'mmdf', box: 'box', make: '#driver.mmdf/box' },
] as const

const textOf = (subject: string): string => `Subject: ${subject}\r\n\r\n${`text of ${subject}\r\n`.repeat(20)}`

/** A client that delivers, flags and removes its own messages. */
class Player {
  readonly #client: RawClient
  readonly #box: string
  readonly #who: string
  /** UID by the subject of what was acknowledged and not removed. */
  readonly kept = new Map<string, number>()
  /** Every UID that was told. */
  readonly given: number[] = []
  readonly removed: string[] = []

  constructor(client: RawClient, box: string, who: string) {
    this.#client = client
    this.#box = box
    this.#who = who
  }
  async #ok(command: string): Promise<readonly string[]> {
    const { status, text, untagged } = await this.#client.do(command)
    equal(status, 'OK', `${this.#who}: ${command}: ${text}`)
    return untagged
  }
  async play(turns: number): Promise<void> {
    await this.#ok(`SELECT ${this.#box}`)
    for (let n = 0; n < turns; n++) {
      const subject = `${this.#who}${n}`
      const { status, text } = await this.#client.append(this.#box, textOf(subject))
      equal(status, 'OK', `${subject}: ${text}`)
      const uid = Number(/APPENDUID \d+ (\d+)/.exec(text)?.[1])
      this.given.push(uid)
      // The session must hear of it before it can name it.
      await this.#ok('NOOP')
      if (n % 3 === 1) {
        await this.#ok(`UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)
        await this.#ok(n % 2 === 0 ? `UID EXPUNGE ${uid}` : 'EXPUNGE')
        this.removed.push(subject)
      } else {
        await this.#ok(`UID STORE ${uid} +FLAGS.SILENT (\\Flagged)`)
        this.kept.set(subject, uid)
      }
      const seen = await this.#ok(`UID FETCH ${uid} (FLAGS)`)
      deepEqual({ subject, there: seen.some((line) => line.includes(`UID ${uid}`)) }, { subject, there: n % 3 !== 1 })
    }
    // Flags of formats that are dear to write wait in the journal of the server that has it; others see them when they are folded in.
    await this.#ok('CHECK')
  }
}

describe('two servers on the mail of one account', () => {
  const servers: RunningServer[] = []
  beforeEach(async () => {
    const first = await startServer({ host: DRIVERS, namespaces: NAMES })
    servers.push(first)
    // A configuration, a control socket and processes of its own; the homes are the same.
    servers.push(await startServer({ host: DRIVERS, namespaces: NAMES, users: `[ { use: virtual, home: ${JSON.stringify(join(first.folder, 'mail', '{user}'))} } ]` }))
  })
  afterEach(async () => {
    for (const server of servers.splice(0).toReversed()) await server.remove()
  })

  test.each(formats)('$name: sessions of both deliver, flag and expunge at once, and every message is accounted for', { timeout: LONG ? 3_600_000 : 240_000 }, async ({ box, make }) => {
    const maker = await RawClient.login(servers[0]?.ports.imap ?? 0, 'alice')
    expect(await maker.do(`CREATE ${make}`)).toMatchObject({ status: 'OK' })
    const players: Player[] = []
    for (const [s, server] of servers.entries()) for (const who of ['a', 'b']) players.push(new Player(await RawClient.login(server.ports.imap, 'alice'), box, `s${s}${who}`))
    await Promise.all(players.map((player) => player.play(LONG ? 600 : 18)))
    const given = players.flatMap((player) => player.given).sort((a, b) => a - b)
    expect(given).toEqual([...new Set(given)])
    const expected = new Map(players.flatMap(({ kept }) => [...kept]))
    for (const server of servers) {
      const client = await RawClient.login(server.ports.imap, 'alice')
      expect((await client.do(`SELECT ${box}`)).status).toBe('OK')
      const { untagged } = await client.do('UID FETCH 1:* (UID FLAGS BODY.PEEK[])')
      const found = untagged.map((line) => ({ subject: /Subject: (\S+)/.exec(line)?.[1] ?? '', uid: Number(/UID (\d+)/.exec(line)?.[1]), line }))
      expect(found.map(({ subject }) => subject).sort()).toEqual([...expected.keys()].sort())
      for (const { subject, uid, line } of found) expect({ subject, uid, whole: line.includes(textOf(subject)), flagged: line.includes('\\Flagged') }).toEqual({ subject, uid: expected.get(subject), whole: true, flagged: true })
      expect(server.log().split('\n').filter((line) => / error /.test(line))).toEqual([])
    }
    expect(players.flatMap(({ removed }) => removed).length).toBe(players.length * (LONG ? 200 : 6))
  })
})
