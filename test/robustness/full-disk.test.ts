import { mkdir, readdir, readFile, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { driversFor, isInboxMade } from '../support/inbox-format.js'
import { LONG, randomOf, seedOf } from '../support/random.js'
import { LinkLost, RawClient } from '../support/raw-client.js'
import { RawPop3 } from '../support/raw-pop3.js'
import { startServer, type RunningServer } from '../support/running-server.js'
import { canMount, SmallDisk } from '../support/small-disk.js'

/** Whoever has no room left must be able to delete mail: nothing but that makes room. */

const COUNT = 12
const names = Array.from({ length: COUNT }, (_, i) => `m${i + 1}`)
const textOf = (name: string): string => `${`a line of ${name}\r\n`.repeat(Number(name.slice(1)) % 3 === 0 ? 1500 : 300)}`
const message = (name: string): string => `From: bob@example.org\r\nSubject: ${name}\r\n\r\n${textOf(name)}`
/** In mix what is left of messages goes when the file goes in which they were, and that is one file here. */
const FORMATS = ['unix', 'mmdf', 'mbx', 'mtx', 'tenex', 'mx', 'mix', 'mh'].map((format) => ({ format, atOnce: format !== 'mix' }))

describe.skipIf(!canMount())('on a disk without a block that is free', () => {
  let server: RunningServer
  let disk: SmallDisk | undefined
  /** A lock file has no content there, so that one that was left behind is waited for. */
  const start = async (format: string, size = '768k'): Promise<SmallDisk> => {
    server = await startServer({
      host: `${driversFor(format)}\nmailbox: { poll: 1s, checkpointDelay: 1s }\nfiles: { dotlockTimeout: 2s }`,
      namespaces: "[ { use: mailboxfile, inboxPath: '{home}/delivered' }, { use: prefixes } ]",
      prepare: async (folder) => {
        const home = join(folder, 'mail/alice')
        disk = new SmallDisk(home, size)
        if (format !== 'mh') return
        await writeFile(join(home, '.mh_profile'), 'Path: Mail\n')
        await mkdir(join(home, 'Mail/inbox'), { recursive: true })
      },
    })
    if (disk === undefined) throw new Error('there is no disk')
    return disk
  }
  beforeEach(() => void (disk = undefined))
  afterEach(async () => {
    await server.stop()
    disk?.[Symbol.dispose]()
    await server.remove()
  })
  const free = async (): Promise<number> => (await statfs(server.home('alice'))).bfree
  const selected = async (): Promise<RawClient> => {
    const client = await RawClient.login(server.ports.imap, 'alice')
    const { status, text } = await client.do('SELECT INBOX')
    expect(status, text).toBe('OK')
    return client
  }
  /** Subjects, after a look at every octet. */
  const there = async (client: RawClient): Promise<readonly string[]> => {
    const { untagged } = await client.do('FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT])')
    return untagged.flatMap((line) => {
      const name = /Subject: (\S+)/.exec(line)?.[1]
      if (name === undefined) return []
      expect(line.includes(`\r\n${textOf(name)}`), name).toBe(true)
      return [name]
    })
  }
  const ok = async (client: RawClient, command: string): Promise<readonly string[]> => {
    const { status, text, untagged } = await client.do(command)
    expect(status, `${command}: ${text}`).toBe('OK')
    return untagged
  }

  test.each(FORMATS)('mail is deleted over IMAP and POP3, the room comes back, and all else is as it was: $format', async ({ format, atOnce }) => {
    const small = await start(format)
    const setup = await RawClient.login(server.ports.imap, 'alice')
    if (isInboxMade(format)) await ok(setup, `CREATE #driver.${format}/INBOX`)
    for (const name of names) expect((await setup.append('INBOX', message(name))).status).toBe('OK')
    await setup.logout()
    await server.stop()
    await small.fill()
    await server.again()
    expect(await free()).toBe(0)

    const imap = await selected()
    await ok(imap, 'STORE 2,3,7 +FLAGS (\\Deleted)')
    await ok(imap, 'STORE 5 +FLAGS (\\Flagged)')
    expect((await ok(imap, 'EXPUNGE')).filter((line) => line.endsWith(' EXPUNGE')).length).toBe(3)
    const left = names.filter((_, i) => ![2, 3, 7].includes(i + 1))
    expect(await there(imap)).toEqual(left)
    // What was answered holds without the process that answered it.
    await server.kill()
    imap.drop()
    await server.again()
    const second = await selected()
    expect(await there(second)).toEqual(left)
    expect((await ok(second, 'SEARCH FLAGGED')).filter((line) => line.startsWith('* SEARCH'))).toEqual(['* SEARCH 3'])
    await second.logout()
    if (atOnce) expect(await free()).toBeGreaterThan(4)

    await small.fill()
    const pop3 = await RawPop3.login(server.ports.pop3, 'alice')
    expect(await pop3.subjects()).toEqual(left)
    expect(await pop3.do('DELE 1')).toMatch(/^\+OK/)
    expect(await pop3.do('DELE 9')).toMatch(/^\+OK/)
    expect(await pop3.quit()).toMatch(/^\+OK/)
    await small.fill()
    const third = await selected()
    expect(await there(third)).toEqual(left.slice(1, -1))
    await ok(third, 'STORE 1:* +FLAGS.SILENT (\\Deleted)')
    await ok(third, 'CLOSE')
    await ok(third, 'SELECT INBOX')
    expect(await there(third)).toEqual([])
    // There is room for mail again.
    expect((await third.append('INBOX', message('m1'))).status).toBe('OK')
    await third.logout()
    expect(server.log()).not.toMatch(/^\S+ \S+ error /m)
  }, 120_000)

  test.each(['mbx', 'mix', 'mtx'])('what is saved right behind an EXPUNGE has its room: %s', async (format) => {
    const small = await start(format)
    const setup = await RawClient.login(server.ports.imap, 'alice')
    await ok(setup, `CREATE #driver.${format}/INBOX`)
    for (const name of names) expect((await setup.append('INBOX', message(name))).status).toBe('OK')
    await setup.logout()
    await server.stop()
    await small.fill()
    await server.again()
    const client = await selected()
    await ok(client, 'STORE 1:* +FLAGS.SILENT (\\Deleted)')
    expect((await client.append('INBOX', message('m1'))).status).toBe('NO')
    await ok(client, 'EXPUNGE')
    expect((await client.append('INBOX', message('m1'))).status).toBe('OK')
    expect(await there(client)).toEqual(['m1'])
    await client.logout()
  }, 60_000)

  test.each(['unix', 'mtx'])('kill -9 in the middle of an expunge in steps: the next server goes on with it, and no octet is lost: %s', async (format) => {
    const random = randomOf(seedOf('kill -9 in steps'))
    const small = await start(format, '3m')
    const setup = await RawClient.login(server.ports.imap, 'alice')
    if (isInboxMade(format)) await ok(setup, `CREATE #driver.${format}/INBOX`)
    let left = Array.from({ length: LONG ? 200 : 120 }, (_, i) => `m${i + 1}`)
    for (const name of left) expect((await setup.append('INBOX', message(name))).status).toBe('OK')
    await setup.logout()
    await small.fill()
    const redo = join(server.home('alice'), '.mailwright/redo')
    /** A redo file speaks of steps. */
    const begun = async (): Promise<boolean> => {
      for (const name of await readdir(redo)) if ((await readFile(join(redo, name))).toString('latin1', 0, 8) === 'MWSTEP01') return true
      return false
    }
    /** An EXPUNGE whose steps have begun. */
    const expunge = async (client: RawClient): Promise<{ readonly answered: Promise<string> }> => {
      await ok(client, 'STORE 1 +FLAGS.SILENT (\\Deleted)')
      const answered = client.do('EXPUNGE').then(
        ({ status }) => status,
        (error: unknown) => {
          expect(error).toBeInstanceOf(LinkLost)
          return 'none'
        },
      )
      await Promise.race([answered, (async () => {
        for (let tries = 0; tries < 5000 && !(await begun()); tries++) await pause(1)
      })()])
      return { answered }
    }
    const client = await selected()
    const { answered: whole } = await expunge(client)
    const startedAt = performance.now()
    expect(await whole).toBe('OK')
    const takesMs = performance.now() - startedAt
    left = left.slice(1)
    await client.logout()
    await small.fill()
    let interrupted = 0
    for (let round = 0; round < (LONG ? 40 : 5); round++) {
      const { answered } = await expunge(await selected())
      await pause(random() * takesMs)
      await server.kill()
      expect(await answered).toMatch(/^(?:OK|none)$/)
      if ((await answered) === 'none' && (await begun())) interrupted++
      await server.again()
      left = left.slice(1)
      const next = await selected()
      expect(await there(next), `round ${round}`).toEqual(left)
      await next.logout()
      await small.fill()
    }
    expect(interrupted).toBeGreaterThan(0)
    expect((await readdir(redo)).filter((name) => name.endsWith('.lost'))).toEqual([])
    expect(server.log()).not.toMatch(/^\S+ \S+ error /m)
  }, 600_000)

  test('mail that another program delivered is read and deleted, though its numbers cannot be written', async () => {
    const small = await start('unix')
    const stored = names.map((name) => `From bob@example.org Mon Nov 23 01:44:50 2026\n${message(name).replaceAll('\r\n', '\n')}\n`)
    await writeFile(join(server.home('alice'), 'delivered'), stored.join(''), { mode: 0o600 })
    await small.fill()
    const client = await selected()
    expect(await there(client)).toEqual(names)
    await client.logout()
    const pop3 = await RawPop3.login(server.ports.pop3, 'alice')
    expect(await pop3.subjects()).toEqual(names)
    for (const n of [1, 12]) expect(await pop3.do(`DELE ${n}`)).toMatch(/^\+OK/)
    expect(await pop3.quit()).toMatch(/^\+OK/)
    await server.kill()
    await server.again()
    const left = names.slice(1, -1)
    const again = await selected()
    expect(await there(again)).toEqual(left)
    await again.logout()
    expect(server.log()).not.toMatch(/^\S+ \S+ error /m)
  }, 60_000)
})
