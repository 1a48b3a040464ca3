import { deepEqual, equal } from 'node:assert/strict'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { packedSite, type PackedSite } from '../support/packed-site.js'
import { LONG } from '../support/random.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type RunningServer, type ServerOptions } from '../support/running-server.js'

/** A format, or a kind of storage, and what sessions of several processes may expect of it. */
interface Format {
  readonly name: string
  /** Where they are. */
  readonly box: string
  /** The name by which it is made. */
  readonly make: string
  /** What a server needs to have it. */
  server(): Promise<ServerOptions> | ServerOptions
  /** Whether APPEND tells the UID, which is that of the message in every session. Otherwise messages are known by what is in them. */
  readonly tellsUids: boolean
  /** Who may remove messages: every session, or sessions of one process while no other process has the mailbox open. */
  readonly expunges: 'beside others' | 'alone'
}
const NAMES = "[ { use: mailboxfile, inboxPath: '{home}/INBOX' }, prefixes ]"
function file(name: string, { empty = 'unix', ...change }: Partial<Format> & { readonly empty?: string } = {}): Format {
  const server = (): ServerOptions => ({ host: `drivers: { use: [ mix, mx, mbx, mtx, tenex, { use: mh, path: Mail }, mmdf, unix, dummy ], create: unix, empty: ${empty} }`, namespaces: NAMES })
  return { name, box: 'box', make: `#driver.${name}/box`, server, tellsUids: true, expunges: 'beside others', ...change }
}
/** There is no room for UIDs in the file, an empty one has no format yet, and no message can be hidden from those who have it open. */
const ofOld = (name: string): Format => file(name, { empty: name, tellsUids: false, expunges: 'alone' })
const formats: readonly Format[] = [
  file('mbx'),
  file('mix'),
  file('mx'),
  file('mh', { box: '#mh/box', make: '#mh/box' }),
  file('unix', { make: 'box' }),
  file('mmdf'),
  ofOld('mtx'),
  ofOld('tenex'),
  { ...file('maildir'), make: 'box', server: maildir },
]

/** A site that has installed the package, which its configuration names. */
let site: PackedSite | undefined
async function maildir(): Promise<ServerOptions> {
  const { modules } = (site ??= await packedSite('maildir'))
  return {
    cli: join(modules, 'mailwright/dist/core/main/cli.js'),
    top: "plugins: ['@mailwright/maildir']",
    host: 'drivers: { stores: [maildir] }',
    namespaces: '[ { use: mailboxfile, store: maildir } ]',
    prepare: (folder) => symlink(modules, join(folder, 'node_modules')),
  }
}
afterAll(async () => site?.[Symbol.asyncDispose]())

const IN_USE = '[INUSE] EXPUNGE failed: mailbox is in use, try again'

const textOf = (subject: string): string => `Subject: ${subject}\r\n\r\n${`text of ${subject}\r\n`.repeat(20)}`

/** A client that delivers, flags and removes its own messages. */
class Player {
  readonly #client: RawClient
  readonly #format: Format
  readonly #who: string
  /** What was acknowledged and not removed: UID by subject; 0 where none is told. */
  readonly kept = new Map<string, number>()
  /** Every UID that was told. */
  readonly given: number[] = []
  readonly removed: string[] = []

  constructor(client: RawClient, format: Format, who: string) {
    this.#client = client
    this.#format = format
    this.#who = who
  }
  async #ok(command: string): Promise<readonly string[]> {
    const { status, text, untagged } = await this.#client.do(command)
    equal(status, 'OK', `${this.#who}: ${command}: ${text}`)
    return untagged
  }
  async play(turns: number): Promise<void> {
    const { box } = this.#format
    await this.#ok(`SELECT ${box}`)
    for (let n = 0; n < turns; n++) {
      const subject = `${this.#who}${String(n).padStart(3, '0')}`
      const { status, text } = await this.#client.append(box, textOf(subject))
      equal(status, 'OK', `${subject}: ${text}`)
      const uid = Number(/APPENDUID \d+ (\d+)/.exec(text)?.[1] ?? 0)
      equal(uid > 0, this.#format.tellsUids, `${subject}: ${text}`)
      if (uid > 0) this.given.push(uid)
      // The session must hear of it before it can name it.
      await this.#ok('NOOP')
      let gone = false
      if (n % 3 === 1) {
        await this.#store(uid, subject, '\\Deleted')
        gone = await this.#expunge(uid > 0 && n % 2 === 0 ? `UID EXPUNGE ${uid}` : 'EXPUNGE')
        this.removed.push(subject)
      } else {
        await this.#store(uid, subject, '\\Flagged')
        this.kept.set(subject, uid)
      }
      deepEqual({ subject, there: await this.#has(uid, subject) }, { subject, there: !gone })
    }
    // Flags of formats that are dear to write wait in the journal of the server that has it; others see them when they are folded in.
    await this.#ok('CHECK')
  }
  /** Where messages have no UIDs that last: its number, or undefined. No reply to SEARCH, FETCH and STORE by number may change numbers (RFC 3501 §7.4.1). */
  async #numberOf(subject: string): Promise<number | undefined> {
    const [, ...numbers] = (await this.#ok(`SEARCH SUBJECT ${subject}`)).find((line) => line.startsWith('* SEARCH'))?.slice(2).split(' ') ?? []
    equal(numbers.length <= 1, true, `${subject} is there as ${numbers.join(' and ')}`)
    return numbers[0] === undefined ? undefined : Number(numbers[0])
  }
  async #store(uid: number, subject: string, flag: string): Promise<void> {
    await this.#ok(uid > 0 ? `UID STORE ${uid} +FLAGS.SILENT (${flag})` : `STORE ${await this.#numberOf(subject)} +FLAGS.SILENT (${flag})`)
  }
  async #has(uid: number, subject: string): Promise<boolean> {
    return uid > 0 ? (await this.#ok(`UID FETCH ${uid} (FLAGS)`)).some((line) => line.includes(`UID ${uid}`)) : (await this.#numberOf(subject)) !== undefined
  }
  /** Whether messages were removed. */
  async #expunge(command: string): Promise<boolean> {
    const { status, text } = await this.#client.do(command)
    if (this.#format.expunges === 'alone' && status === 'NO') {
      equal(text, IN_USE)
      return false
    }
    equal(status, 'OK', `${this.#who}: ${command}: ${text}`)
    return true
  }
}

describe('two servers on the mail of one account', () => {
  const servers: RunningServer[] = []
  afterEach(async () => {
    // One that is stopped does not end.
    for (const server of servers) server.process.kill('SIGCONT')
    for (const server of servers.splice(0).toReversed()) await server.remove()
  })

  /** Two servers on the same homes; the second has a configuration, a control socket and processes of its own. */
  async function both(format: Format): Promise<readonly [RunningServer, RunningServer]> {
    const options = await format.server()
    const first = await startServer(options)
    servers.push(first)
    const second = await startServer({ ...options, users: `[ { use: virtual, home: ${JSON.stringify(join(first.folder, 'mail', '{user}'))} } ]` })
    servers.push(second)
    return [first, second]
  }

  test.each(formats)('$name: sessions of both deliver, flag and expunge at once, and every message is accounted for', { timeout: LONG ? 3_600_000 : 240_000 }, async (format) => {
    const { box, make, tellsUids, expunges } = format
    const [first, second] = await both(format)
    const maker = await RawClient.login(first.ports.imap, 'alice')
    expect(await maker.do(`CREATE ${make}`)).toMatchObject({ status: 'OK' })
    const players: Player[] = []
    for (const [s, server] of servers.entries()) for (const who of ['a', 'b']) players.push(new Player(await RawClient.login(server.ports.imap, 'alice'), format, `s${s}${who}`))
    await Promise.all(players.map((player) => player.play(LONG ? 600 : 18)))
    const given = players.flatMap((player) => player.given).sort((a, b) => a - b)
    expect(given).toEqual([...new Set(given)])
    if (expunges === 'alone') {
      expect((await maker.do(`SELECT ${box}`)).status).toBe('OK')
      expect(await maker.do('EXPUNGE')).toMatchObject({ status: 'NO', text: IN_USE })
      await second.stop()
      expect(await maker.do('EXPUNGE')).toMatchObject({ status: 'OK' })
      await second.again()
    }
    const expected = new Map(players.flatMap(({ kept }) => [...kept]))
    for (const server of servers) {
      const client = await RawClient.login(server.ports.imap, 'alice')
      expect((await client.do(`SELECT ${box}`)).status).toBe('OK')
      const { untagged } = await client.do('UID FETCH 1:* (UID FLAGS BODY.PEEK[])')
      const found = untagged.map((line) => ({ subject: /Subject: (\S+)/.exec(line)?.[1] ?? '', uid: tellsUids ? Number(/UID (\d+)/.exec(line)?.[1]) : 0, line }))
      expect(found.map(({ subject }) => subject).sort()).toEqual([...expected.keys()].sort())
      for (const { subject, uid, line } of found) expect({ subject, uid, whole: line.includes(textOf(subject)), flagged: line.includes('\\Flagged') }).toEqual({ subject, uid: expected.get(subject), whole: true, flagged: true })
      expect(server.log().split('\n').filter((line) => / error /.test(line))).toEqual([])
    }
    expect(players.flatMap(({ removed }) => removed).length).toBe(players.length * (LONG ? 200 : 6))
  })

  /** A session of each, on one message. */
  async function sessions(format: Format): Promise<{ readonly first: RunningServer; readonly second: RunningServer; readonly clients: readonly [RawClient, RawClient] }> {
    const [first, second] = await both(format)
    const clients = [await RawClient.login(first.ports.imap, 'alice'), await RawClient.login(second.ports.imap, 'alice')] as const
    await clients[0].do(`CREATE ${format.make}`)
    expect(await clients[0].append(format.box, textOf('one'))).toMatchObject({ status: 'OK' })
    for (const client of clients) expect(await client.do(`SELECT ${format.box}`)).toMatchObject({ status: 'OK' })
    return { first, second, clients }
  }
  /** Flags of the message in a server that was started after all others have ended. */
  async function flagsAtLast({ box }: Format): Promise<string> {
    for (const server of servers) await server.stop()
    const [first] = servers
    await first!.again()
    const client = await RawClient.login(first!.ports.imap, 'alice')
    await client.do(`EXAMINE ${box}`)
    const { untagged } = await client.do('FETCH 1 (FLAGS)')
    return /FLAGS \(([^)]*)\)/.exec(untagged.join())?.[1]?.replace('\\Recent', '').trim() ?? 'none'
  }

  test.each(formats)('$name: a flag that sessions of both set and take away in turn is at last what the last one made it, and none waits for a delay', { timeout: 240_000 }, async (format) => {
    const { clients } = await sessions(format)
    for (let n = 0; n < 12; n++) {
      // Twice in one session, now and then.
      const client = clients[n % 5 === 4 ? 0 : n % 2]!
      expect(await client.do(`STORE 1 ${n % 2 === 0 ? '+' : '-'}FLAGS.SILENT (\\Flagged)`), `${n}`).toMatchObject({ status: 'OK' })
    }
    expect(await clients[1].do('STORE 1 +FLAGS.SILENT (\\Answered)')).toMatchObject({ status: 'OK' })
    expect(await flagsAtLast(format)).toBe('\\Answered')
  })

  test.each(formats.filter(({ expunges }) => expunges === 'alone'))('$name: a MOVE that may not remove its messages does not copy them', { timeout: 240_000 }, async (format) => {
    const { clients, second } = await sessions(format)
    const [client] = clients
    expect(await client.do(`CREATE ${format.make.replace('box', 'other')}`)).toMatchObject({ status: 'OK' })
    expect(await client.do('MOVE 1 other')).toMatchObject({ status: 'NO', text: '[INUSE] MOVE failed: mailbox is in use, try again' })
    expect((await client.do('STATUS other (MESSAGES)')).untagged).toEqual(['* STATUS other (MESSAGES 0)'])
    await second.stop()
    expect(await client.do('MOVE 1 other')).toMatchObject({ status: 'OK' })
    expect((await client.do('STATUS other (MESSAGES)')).untagged).toEqual(['* STATUS other (MESSAGES 1)'])
  })

  /** Flags wait in the journal of one of the servers. */
  const journalled = formats.filter(({ name }) => ['unix', 'mh'].includes(name))
  test.each(journalled)('$name: a message that a session of the second moves has the flags that the first acknowledged', { timeout: 240_000 }, async (format) => {
    const { clients } = await sessions(format)
    const other = format.make.replace('box', 'other')
    expect(await clients[0].do(`CREATE ${other}`)).toMatchObject({ status: 'OK' })
    expect(await clients[0].do('STORE 1 +FLAGS.SILENT (\\Flagged)')).toMatchObject({ status: 'OK' })
    expect(await clients[1].do(`MOVE 1 ${format.box.replace('box', 'other')}`)).toMatchObject({ status: 'OK' })
    expect(await flagsAtLast({ ...format, box: format.box.replace('box', 'other') })).toBe('\\Flagged')
  })
  test.each(journalled)('$name: a server that is stopped keeps sessions of the other from what is opposite to its own alone, and when it is killed from nothing', { timeout: 240_000 }, async (format) => {
    const { first, clients } = await sessions(format)
    expect(await clients[0].do('STORE 1 +FLAGS.SILENT (\\Flagged \\Seen)')).toMatchObject({ status: 'OK' })
    first.process.kill('SIGSTOP')
    expect(await clients[1].do('STORE 1 +FLAGS.SILENT (\\Answered)')).toMatchObject({ status: 'OK' })
    const refused = await clients[1].do('STORE 1 -FLAGS.SILENT (\\Flagged)')
    expect(refused).toMatchObject({ status: 'NO', text: '[INUSE] STORE failed: mailbox is in use, try again' })
    expect(refused.untagged).toEqual([expect.stringMatching(/^\* NO Waiting for another process of the server to write flags, for up to \d seconds\.\.\.$/)])
    await first.kill()
    expect(await clients[1].do('STORE 1 -FLAGS.SILENT (\\Flagged)')).toMatchObject({ status: 'OK' })
    expect(await flagsAtLast(format)).toBe('\\Seen \\Answered')
  })
})
